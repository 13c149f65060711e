/* SPDX-License-Identifier: ISC */
/*
 * Judging: is what was promised in the spool, and nothing that was never
 * tried?
 */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

struct judge *
judge_new(const struct recording *r)
{
	struct judge *j = calloc(1, sizeof *j);

	if (j == NULL)
		abort();
	marks_read(j, r);
	return j;
}

void
judge_free(struct judge *j)
{
	free(j->marks);
	free(j->topics);
	free(j->keys);
	free(j->table);
	free(j->groups);
	free(j);
}

static const struct seen_topic *
seen_topic(const struct seen *s, const char *name, const char *suffix)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < s->count; i++)
		if (strncmp(s->topics[i].name, name, len) == 0 && strcmp(s->topics[i].name + len, suffix) == 0)
			return &s->topics[i];
	return NULL;
}

/* A user's own is called UID.NAME. */
static const struct seen_sub *
seen_sub(const struct seen_topic *t, const char *name)
{
	for (size_t i = 0; i < t->sub_count; i++) {
		const char *dot = strrchr(t->subs[i].name, '.');

		if (strcmp(dot != NULL ? dot + 1 : t->subs[i].name, name) == 0)
			return &t->subs[i];
	}
	return NULL;
}

/* --- messages ----------------------------------------------------------- */

/* Writers count: what one wrote later comes later. */
static bool
follows(const char *key, const char *before)
{
	const char *dot = strrchr(key, '.');
	size_t writer = dot == NULL ? strlen(key) : (size_t)(dot - key) + 1;

	if (dot == NULL || strncmp(key, before, writer) != 0)
		return true;
	return strtoull(key + writer, NULL, 10) > strtoull(before + writer, NULL, 10);
}

static bool
in_order(const struct seen_topic *t, size_t i, struct judge *j, FILE *why)
{
	bool good = true;

	for (size_t b = i; b-- > 0 && good;) {
		const struct key_state *k = marks_key(j, t->messages[b].key);
		const char *dot = strrchr(t->messages[i].key, '.');

		if (k == NULL || k->moving || dot == NULL ||
		    strncmp(t->messages[b].key, t->messages[i].key, (size_t)(dot - t->messages[i].key) + 1) != 0)
			continue;
		good = follows(t->messages[i].key, t->messages[b].key);
		if (!good)
			(void)fprintf(why, "%s: %s comes after %s\n", t->name, t->messages[i].key, t->messages[b].key);
		break; /* the ones before were compared with this one */
	}
	return good;
}

static bool
message_may_be(struct judge *j, size_t topic, const struct seen_topic *t, size_t i, FILE *why)
{
	const struct seen_message *m = &t->messages[i];
	struct key_state *k = marks_key(j, m->key);
	const char *wrong = NULL;

	if (m->key[0] == '\0')
		return true; /* told by the looker */
	if (k == NULL || k->there == THERE_NOT || k->topic != topic)
		wrong = "was never published there";
	else if (k->refused)
		wrong = "was refused, or its topic is deleted";
	else if (k->must_go)
		wrong = "was purged";
	else if (k->ok_seq && k->seq != m->seq && !k->moving)
		wrong = "has another number than its publisher was told";
	if (wrong != NULL) {
		(void)fprintf(why, "%s: %llu, %s, %s\n", t->name, (unsigned long long)m->seq, m->key, wrong);
		return false;
	}
	k->copies++;
	return k->moving || in_order(t, i, j, why);
}

/* May the log have let it go? */
static bool
may_be_freed(const struct judge *j, const struct key_state *k, const struct seen_topic *t)
{
	bool some = false;

	if (k->ok_seq && k->seq >= t->first)
		return false;
	if (k->may_go || j->topics[k->topic].frees)
		return true;
	for (size_t s = 0; s < j->sub_count; s++) {
		if (j->subs[s].topic != k->topic)
			continue;
		if (((k->may_take | k->may_bury) >> s & 1) != 0)
			some = true; /* also by one that is no more */
		else if (j->subs[s].there == THERE_SURELY)
			return false;
	}
	return some;
}

static bool
keys_are_there(struct judge *j, size_t topic, const struct seen_topic *t, FILE *why)
{
	bool good = true;

	for (size_t i = 0; i < j->key_count; i++) {
		const struct key_state *k = &j->keys[i];

		if (k->topic != topic || k->there == THERE_NOT || k->refused)
			continue;
		if (k->copies == 0 && k->there == THERE_SURELY && !may_be_freed(j, k, t)) {
			(void)fprintf(why, "%s: %s, acknowledged as %llu, is lost\n", t->name, k->name,
			    (unsigned long long)k->seq);
			good = false;
		}
		if (k->copies > 1 && !k->moving) {
			(void)fprintf(why, "%s: %s is there %zu times\n", t->name, k->name, k->copies);
			good = false;
		}
		if (k->ok_seq && k->seq >= t->next) {
			(void)fprintf(why, "%s: number %llu would be used again\n", t->name,
			    (unsigned long long)k->seq);
			good = false;
		}
	}
	return good;
}

/* All of a group or nothing of it. */
static bool
groups_are_whole(const struct judge *j, const struct seen_topic *t, size_t topic, FILE *why)
{
	for (size_t g = 1; g < j->group_count; g++) {
		size_t there = 0, missing = 0;

		for (size_t i = 0; i < j->key_count; i++) {
			const struct key_state *k = &j->keys[i];

			if (k->group != g || k->topic != topic)
				continue;
			there += k->copies > 0;
			missing += k->copies == 0 && !may_be_freed(j, k, t);
		}
		if (there > 0 && missing > 0) {
			(void)fprintf(why, "%s: %zu of %s are there, %zu are not\n", t->name, there,
			    j->groups[g], missing);
			return false;
		}
	}
	return true;
}

/* --- subscriptions ------------------------------------------------------ */

static bool
settled_rightly(struct judge *j, size_t s, const struct seen_topic *t, size_t i, bool settled, FILE *why)
{
	struct key_state *k = marks_key(j, t->messages[i].key);
	uint64_t bit = (uint64_t)1 << s;
	const char *wrong = NULL;

	if (k == NULL)
		return true; /* told before */
	if (!settled && ((k->may_take | k->may_bury | k->must_settle) & bit) != 0)
		k->pending++;
	if (k->moving)
		return true; /* judged with the dead letters */
	if (settled && ((k->may_take | k->may_bury | k->must_settle) & bit) == 0)
		wrong = "is settled, and nobody acked it";
	if (!settled && (k->must_settle & bit) != 0)
		wrong = "was acked, and would be delivered again";
	if (settled && (k->must_settle & bit) == 0 && (k->may_bury & bit) != 0 &&
	    (k->may_take & bit) == 0 && k->buried == 0)
		wrong = "was given up, and is not among the dead letters";
	if (!settled && (k->may_bury & bit) != 0 && k->buried > 0)
		wrong = "is among the dead letters and not given up";
	if (wrong != NULL)
		(void)fprintf(why, "%s: %s: %llu, %s, %s\n", t->name, j->subs[s].name,
		    (unsigned long long)t->messages[i].seq, k->name, wrong);
	return wrong == NULL;
}

static bool
sub_is_right(struct judge *j, size_t s, const struct seen_topic *t, FILE *why)
{
	const struct seen_sub *u = seen_sub(t, j->subs[s].name);
	bool good = true;

	if (u == NULL && j->subs[s].there == THERE_SURELY) {
		(void)fprintf(why, "%s: subscription %s is lost\n", t->name, j->subs[s].name);
		return false;
	}
	if (u != NULL && j->subs[s].there == THERE_NOT) {
		(void)fprintf(why, "%s: subscription %s is there\n", t->name, j->subs[s].name);
		return false;
	}
	for (size_t i = 0; u != NULL && i < t->count; i++)
		good &= settled_rightly(j, s, t, i, u->settled[i], why);
	return good;
}

/* --- dead letters ------------------------------------------------------- */

static bool
count_dead(struct judge *j, size_t topic, const struct seen_topic *dead, FILE *why)
{
	bool good = true;

	for (size_t i = 0; dead != NULL && i < dead->count; i++) {
		struct key_state *k = marks_key(j, dead->messages[i].key);

		if (dead->messages[i].key[0] == '\0')
			continue; /* told by the looker */
		if (k == NULL || k->topic != topic || k->may_bury == 0 || k->refused) {
			(void)fprintf(why, "%s: %s was never given up\n", dead->name, dead->messages[i].key);
			good = false;
		} else
			k->buried++;
	}
	return good;
}

/* Each that was given up is in one place: there, or again with who gave it up. */
static bool
dead_are_there(const struct judge *j, size_t topic, FILE *why)
{
	bool good = true;

	for (size_t i = 0; i < j->key_count; i++) {
		const struct key_state *k = &j->keys[i];
		bool wrong = k->buried > 1;

		if (k->topic != topic || !k->dead || k->refused)
			continue;
		if (!k->moving)
			wrong |= k->buried != 1;
		else if (k->may_take == 0)
			wrong |= k->buried + k->pending != 1 || (k->moved && k->buried != 0);
		if (!wrong)
			continue;
		(void)fprintf(why, "%s: %s, given up%s, is %zu times a dead letter and %zu times pending\n",
		    j->topics[topic].name, k->name,
		    k->moved ? " and redriven" : k->moving ? " and perhaps redriven" : "", k->buried, k->pending);
		good = false;
	}
	return good;
}

/* --- all ---------------------------------------------------------------- */

static bool
topic_is_right(struct judge *j, size_t topic, const struct seen *s, FILE *why)
{
	const struct topic_state *state = &j->topics[topic];
	const struct seen_topic *t = seen_topic(s, state->name, ""), *dead = seen_topic(s, state->name, ".dead");
	bool good;

	if (t == NULL) {
		if (state->there == THERE_SURELY && !state->going)
			(void)fprintf(why, "topic %s is lost\n", state->name);
		return state->there != THERE_SURELY || state->going;
	}
	if (state->there == THERE_NOT) {
		(void)fprintf(why, "topic %s is there\n", state->name);
		return false;
	}
	good = count_dead(j, topic, dead, why);
	for (size_t i = 0; i < t->count; i++)
		good &= message_may_be(j, topic, t, i, why);
	good &= keys_are_there(j, topic, t, why);
	good &= groups_are_whole(j, t, topic, why);
	for (size_t i = 0; i < j->sub_count; i++)
		if (j->subs[i].topic == topic)
			good &= sub_is_right(j, i, t, why);
	/* Deleting a topic takes its dead letters first. */
	return good & (state->going || dead_are_there(j, topic, why));
}

bool
judge_image(struct judge *j, size_t cut, const struct seen *s, FILE *why)
{
	bool good = true;

	marks_apply(j, cut);
	for (size_t i = 0; i < j->key_count; i++)
		j->keys[i].copies = j->keys[i].buried = j->keys[i].pending = 0;
	for (size_t i = 0; i < j->topic_count; i++)
		good &= topic_is_right(j, i, s, why);
	return good;
}
