/* SPDX-License-Identifier: ISC */
/*
 * The marks of a recording, and what is promised after each.
 */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"

#define TABLE 65536

static const char *const verb_names[VERBS] = { "create", "delete", "purge", "redrive", "sub", "unsub",
	"pub", "take", "dead", "free" };
static const char *const kind_names[MARK_KINDS] = { "try", "ok", "no", "end" };

/* --- words -------------------------------------------------------------- */

static size_t
name_in(const char *const *names, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	(void)fprintf(stderr, "crash: no such word in a mark: %s\n", word);
	abort();
}

static size_t
find_topic(struct judge *j, const char *name)
{
	for (size_t i = 0; i < j->topic_count; i++)
		if (strcmp(j->topics[i].name, name) == 0)
			return i;
	if ((j->topics = reallocarray(j->topics, j->topic_count + 1, sizeof *j->topics)) == NULL)
		abort();
	j->topics[j->topic_count] = (struct topic_state){ 0 };
	(void)snprintf(j->topics[j->topic_count].name, sizeof j->topics->name, "%s", name); /* short ones */
	return j->topic_count++;
}

static size_t
find_sub(struct judge *j, size_t topic, const char *name)
{
	for (size_t i = 0; i < j->sub_count; i++)
		if (j->subs[i].topic == topic && strcmp(j->subs[i].name, name) == 0)
			return i;
	if (j->sub_count == SUBS_MOST)
		abort();
	j->subs[j->sub_count] = (struct sub_state){ .topic = topic };
	(void)snprintf(j->subs[j->sub_count].name, sizeof j->subs->name, "%s", name); /* short ones */
	return j->sub_count++;
}

static size_t
find_group(struct judge *j, const char *name)
{
	if (j->group_count == 0)
		j->group_count = 1; /* 0 is none */
	for (size_t i = 1; i < j->group_count; i++)
		if (strcmp(j->groups[i], name) == 0)
			return i;
	if ((j->groups = reallocarray(j->groups, j->group_count + 1, sizeof *j->groups)) == NULL)
		abort();
	(void)snprintf(j->groups[j->group_count], sizeof *j->groups, "%s", name); /* short ones */
	return j->group_count++;
}

/* Where it is in the table, or would be. */
static size_t *
slot(struct judge *j, const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (const char *p = name; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	while (j->table[h % TABLE] != 0 && strcmp(j->keys[j->table[h % TABLE] - 1].name, name) != 0)
		h++;
	return &j->table[h % TABLE];
}

static size_t
find_key(struct judge *j, const char *name)
{
	size_t *at = slot(j, name);

	if (*at != 0)
		return *at - 1;
	if (j->key_count == TABLE / 2 ||
	    (j->keys = reallocarray(j->keys, j->key_count + 1, sizeof *j->keys)) == NULL)
		abort();
	j->keys[j->key_count] = (struct key_state){ 0 };
	(void)snprintf(j->keys[j->key_count].name, sizeof j->keys->name, "%s", name); /* short ones */
	return (*at = ++j->key_count) - 1;
}

struct key_state *
marks_key(struct judge *j, const char *name)
{
	size_t *at = slot(j, name);

	return *at == 0 ? NULL : &j->keys[*at - 1];
}

/* --- reading ------------------------------------------------------------ */

static void
read_line(struct judge *j, char *line, size_t at)
{
	char *words[6] = { NULL }, *save = NULL;
	struct mark m = { .at = at };
	size_t n = 0;

	for (char *w = strtok_r(line, " ", &save); w != NULL && n < 6; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	if (n < 3)
		return; /* a word for people */
	m.kind = (enum mark_kind)name_in(kind_names, MARK_KINDS, words[0]);
	m.verb = (enum verb)name_in(verb_names, VERBS, words[1]);
	m.topic = find_topic(j, words[2]);
	if (m.verb == VERB_PUB) {
		m.key = find_key(j, words[3]);
		if (m.kind == MARK_OK)
			m.seq = strtoull(words[4], NULL, 10);
		else if (words[4] != NULL)
			m.group = find_group(j, words[4]);
	} else if (words[3] != NULL)
		m.sub = find_sub(j, m.topic, words[3]);
	if ((m.verb == VERB_TAKE || m.verb == VERB_DEAD) && m.kind == MARK_OK)
		m.key = find_key(j, words[4]);
	if ((j->marks = reallocarray(j->marks, j->mark_count + 1, sizeof *j->marks)) == NULL)
		abort();
	j->marks[j->mark_count++] = m;
}

void
marks_read(struct judge *j, const struct recording *r)
{
	char *save, *text;

	if ((j->table = calloc(TABLE, sizeof *j->table)) == NULL)
		abort();
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].kind != DISK_MARK)
			continue;
		if ((text = strndup(r->entries[i].data, r->entries[i].len)) == NULL)
			abort();
		for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
			read_line(j, line, i);
		free(text);
	}
}

/* --- what they change --------------------------------------------------- */

static void
apply_topic(struct judge *j, const struct mark *m)
{
	struct topic_state *t = &j->topics[m->topic];

	if (m->verb == VERB_CREATE)
		t->there = m->kind == MARK_OK ? THERE_SURELY : THERE_MAYBE;
	else if (m->verb == VERB_FREE)
		t->frees = true;
	else if (m->kind == MARK_TRY)
		t->going = true;
	else {
		t->going = false;
		t->there = THERE_NOT;
		for (size_t i = 0; i < j->key_count; i++)
			if (j->keys[i].topic == m->topic && j->keys[i].there != THERE_NOT)
				j->keys[i].refused = true;
		for (size_t i = 0; i < j->sub_count; i++)
			if (j->subs[i].topic == m->topic)
				j->subs[i].there = THERE_NOT;
	}
}

static void
apply_pub(struct judge *j, const struct mark *m)
{
	struct key_state *k = &j->keys[m->key];

	if (m->kind == MARK_NO)
		k->refused = true;
	else if (m->kind == MARK_OK) {
		k->there = THERE_SURELY;
		k->ok_seq = m->seq != 0;
		k->seq = m->seq;
	} else {
		k->there = THERE_MAYBE;
		k->topic = m->topic;
		k->group = m->group;
		for (size_t s = 0; s < j->sub_count; s++) {
			if (j->subs[s].topic == m->topic && j->subs[s].taking)
				k->may_take |= (uint64_t)1 << s;
			if (j->subs[s].topic == m->topic && j->subs[s].burying)
				k->may_bury |= (uint64_t)1 << s;
		}
	}
}

/* Somebody begins, or ends, to ack or to give up what may be any message. */
static void
apply_any(struct judge *j, const struct mark *m)
{
	uint64_t bit = (uint64_t)1 << m->sub;
	bool begins = m->kind == MARK_TRY;

	if (m->verb == VERB_TAKE)
		j->subs[m->sub].taking = begins;
	else
		j->subs[m->sub].burying = begins;
	for (size_t i = 0; i < j->key_count; i++) {
		struct key_state *k = &j->keys[i];
		uint64_t *may = m->verb == VERB_TAKE ? &k->may_take : &k->may_bury;

		if (k->there == THERE_NOT || k->topic != m->topic)
			continue;
		if (begins)
			*may |= bit;
		else if ((k->must_settle & bit) == 0)
			*may &= ~bit;
	}
}

static void
apply_settled(struct judge *j, const struct mark *m)
{
	struct key_state *k = &j->keys[m->key];

	k->must_settle |= (uint64_t)1 << m->sub;
	if (m->verb == VERB_DEAD) {
		k->dead = true;
		k->may_take &= ~((uint64_t)1 << m->sub);
	} else
		k->may_bury &= ~((uint64_t)1 << m->sub);
}

static void
apply_purge(struct judge *j, const struct mark *m)
{
	for (size_t i = 0; i < j->key_count; i++) {
		struct key_state *k = &j->keys[i];

		if (k->topic != m->topic || k->there == THERE_NOT)
			continue;
		if (m->kind == MARK_TRY) {
			k->may_go = true;
			k->purging = k->there == THERE_SURELY;
		} else if (k->purging)
			k->must_go = true;
	}
}

/* Back to the subscription that gave it up: it may be acked again, and is not yet. */
static void
apply_redrive(struct judge *j, const struct mark *m)
{
	for (size_t i = 0; i < j->key_count; i++) {
		struct key_state *k = &j->keys[i];

		if (k->topic != m->topic || !k->dead)
			continue;
		if (m->kind == MARK_TRY)
			k->moving = true;
		else if (k->moving)
			k->moved = true;
	}
}

static void
apply(struct judge *j, const struct mark *m)
{
	switch (m->verb) {
	case VERB_CREATE:
	case VERB_DELETE:
	case VERB_FREE:
		apply_topic(j, m);
		break;
	case VERB_SUB:
		j->subs[m->sub].there = m->kind == MARK_OK ? THERE_SURELY : THERE_MAYBE;
		break;
	case VERB_UNSUB:
		j->subs[m->sub].there = m->kind == MARK_OK ? THERE_NOT : THERE_MAYBE;
		break;
	case VERB_PUB:
		apply_pub(j, m);
		break;
	case VERB_TAKE:
	case VERB_DEAD:
		if (m->kind == MARK_OK)
			apply_settled(j, m);
		else
			apply_any(j, m);
		break;
	case VERB_PURGE:
		apply_purge(j, m);
		break;
	default:
		apply_redrive(j, m);
	}
}

/* Back to when nothing was said. */
static void
forget(struct judge *j)
{
	for (size_t i = 0; i < j->topic_count; i++) {
		j->topics[i].there = THERE_NOT;
		j->topics[i].going = j->topics[i].frees = false;
	}
	for (size_t i = 0; i < j->sub_count; i++) {
		j->subs[i].there = THERE_NOT;
		j->subs[i].taking = j->subs[i].burying = false;
	}
	for (size_t i = 0; i < j->key_count; i++) {
		struct key_state k = { 0 };

		memcpy(k.name, j->keys[i].name, sizeof k.name);
		j->keys[i] = k;
	}
	j->done = 0;
}

void
marks_apply(struct judge *j, size_t cut)
{
	if (j->done > 0 && j->marks[j->done - 1].at >= cut)
		forget(j);
	while (j->done < j->mark_count && j->marks[j->done].at < cut)
		apply(j, &j->marks[j->done++]);
}
