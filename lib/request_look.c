/* SPDX-License-Identifier: ISC */
/*
 * Looking: list, show, stat.  Only what the caller may see is in them.
 * Security is for everybody: it says nothing of topics.
 */
#include "request.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>

#include "dead.h"
#include "expiry.h"

/* Bytes of what has expired that a look may settle: of each topic, and of one that is asked for. */
#define SWEEP_EACH ((size_t)1024 * 1024)
#define SWEEP_ONE (4 * SWEEP_EACH)

/* Payload of a reply that may be asked for in pieces. */
struct listing {
	struct buf text;
	bool more;
};

static void
send_listing(struct session *s, struct listing *l)
{
	session_ok(s, "%zu %d", buf_len(&l->text), l->more);
	output_text(&s->output, buf_data(&l->text), buf_len(&l->text));
	buf_free(&l->text);
}

/* A name is known by any right; how much is in it, and who reads it, by that to subscribe or more. */
static bool
may(struct session *s, enum request_verb verb, struct topic *t)
{
	return verb == REQ_LIST ? request_sees(s, t) :
	    request_may(s, ACL_SUBSCRIBE, t) || request_may(s, ACL_ADMIN, t);
}

/* Runs add for every topic from `after` on that matches and may be seen, until the reply is full. */
static void
each_topic(struct session *s, const struct request *r, struct listing *l,
    enum mess_err (*add)(struct session *, struct topic *, struct buf *))
{
	bool all = strcmp(r->topic, "*") == 0 && r->verb == REQ_STAT;
	struct topic *t;

	for (t = topics_after(s->host->topics, r->after); t != NULL;
	    t = topics_after(s->host->topics, t->name)) {
		if (!all && strcmp(r->topic, "**") != 0 && strcmp(r->topic, t->name) != 0 &&
		    !name_match(r->topic, t->name))
			continue;
		if (buf_len(&l->text) >= LIMIT_LIST_BYTES) {
			l->more = true;
			return;
		}
		if (may(s, r->verb, t) && add(s, t, &l->text) != MESS_OK)
			return;
	}
}

static enum mess_err
add_name(struct session *s, struct topic *t, struct buf *out)
{
	(void)s;
	return buf_printf(out, "%s\n", t->name);
}

void
request_list(struct session *s, const struct request *r)
{
	struct listing l = { .text = BUF_INIT(4 * LIMIT_LIST_BYTES) };

	each_topic(s, r, &l, add_name);
	send_listing(s, &l);
}

void
request_sub_name(const char *name, char *out)
{
	const char *dot = strchr(name, '.'), *login;
	unsigned owner;

	if (dot == NULL) {
		(void)snprintf(out, NAME_SUB_OF_MAX + 1, "%s", name); /* fits */
		return;
	}
	owner = (unsigned)strtoul(name, NULL, 10); /* checked when it was read or made */
	if ((login = auth_login(owner))[0] != '\0')
		(void)snprintf(out, NAME_SUB_OF_MAX + 1, "%s/%s", login, dot + 1); /* fits */
	else
		(void)snprintf(out, NAME_SUB_OF_MAX + 1, "uid-%u/%s", owner, dot + 1); /* fits */
}

static enum mess_err
add_show(struct session *s, struct topic *t, struct buf *out)
{
	struct subscriptions *set;
	struct subscription *sub;
	char name[NAME_SUB_OF_MAX + 1];
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK ||
	    (err = buf_printf(out, "topic %s\nowner %u %s\nincarnation %s\ncreated %llu.%09u\n", t->name,
	    t->conf.uid, t->conf.login, t->conf.incarnation,
	    (unsigned long long)t->conf.created_sec, t->conf.created_nsec)) != MESS_OK ||
	    (err = conf_write_grants(&t->conf, false, out)) != MESS_OK ||
	    (err = conf_write_settings(&t->conf, out)) != MESS_OK)
		return err;
	TAILQ_FOREACH(sub, &set->list, link) {
		if (!request_sees_sub(s, sub))
			continue;
		request_sub_name(sub->name, name);
		if ((err = buf_printf(out, "subscription %s\n", name)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}

void
request_show(struct session *s, const struct request *r)
{
	struct request_topic f = { .name = r->topic, .any = true };
	AUTO_BUF struct buf text = BUF_INIT(8 * LIMIT_LIST_BYTES);
	enum mess_err err;
	struct topic *t;

	if (request_find_topic(s, &f, &t) != MESS_OK)
		return;
	err = add_show(s, t, &text);
	topic_release(s->host->topics, t);
	if (err != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return;
	}
	session_ok(s, "%zu", buf_len(&text));
	output_text(&s->output, buf_data(&text), buf_len(&text));
}

static uint64_t
depth(const struct log *l, struct subscriptions *set)
{
	struct subscription_counts counts;
	struct subscription *sub;
	uint64_t most = 0;

	if (TAILQ_EMPTY(&set->list))
		return log_durable(l) - log_first(l);
	TAILQ_FOREACH(sub, &set->list, link) {
		subscription_count(sub, &counts);
		if (counts.pending > most)
			most = counts.pending;
	}
	return most;
}

/* "-": all who may subscribe. */
static enum mess_err
add_share(const struct grants *share, struct buf *out)
{
	enum mess_err err;

	if (share == NULL || share->count == 0)
		return buf_printf(out, "share %s\n", share == NULL ? "-" : "nobody");
	if ((err = buf_printf(out, "share ")) != MESS_OK ||
	    (err = grants_write(share, ACL_SUBSCRIBE, false, out)) != MESS_OK)
		return err;
	return buf_printf(out, "\n");
}

static enum mess_err
add_sub_stat(const struct subscription *sub, struct buf *out)
{
	static const char *const words[PLACE_COUNTS] = { [PLACE_ACKED] = "acked", [PLACE_DEAD] = "dead",
		[PLACE_EXPIRED] = "expired", [PLACE_PURGED] = "purged", [PLACE_DROPPED] = "dropped",
		[PLACE_DAMAGED] = "damaged", [PLACE_SKIPPED] = "skipped" };
	const struct place *p = &sub->place;
	struct subscription_counts counts;
	char name[NAME_SUB_OF_MAX + 1];
	const char *login;
	enum mess_err err;

	request_sub_name(sub->name, name);

	subscription_count(sub, &counts);
	login = auth_login(p->owner);
	if ((err = buf_printf(out, "subscription %s\nowner %u %s\nstart %lld\nfloor %llu\npending %llu\n"
	    "waiting %llu\nleased %llu\ndelayed %llu\n", name, p->owner, login[0] == '\0' ? "-" : login,
	    (long long)p->start, (unsigned long long)p->floor, (unsigned long long)counts.pending,
	    (unsigned long long)counts.waiting, (unsigned long long)counts.leased,
	    (unsigned long long)counts.delayed)) != MESS_OK)
		return err;
	for (int i = 0; i < PLACE_COUNTS; i++)
		if ((err = buf_printf(out, "%s %llu\n", words[i], (unsigned long long)p->counts[i])) != MESS_OK)
			return err;
	if ((err = buf_printf(out, "redelivered %llu\nconsumers %u\nfull %d\nmatch %s\n",
	    (unsigned long long)p->redelivered, sub->consumers, subscription_is_full(sub),
	    p->match[0] == '\0' ? "-" : p->match)) != MESS_OK)
		return err;
	return add_share(p->share, out);
}

/* The subscription because of which the oldest message is still there, or "-". */
static void
held_by(struct session *s, const struct log *l, struct subscriptions *set, char *out)
{
	struct subscription *sub;

	(void)strlcpy(out, "-", NAME_SUB_OF_MAX + 1); /* fits */
	TAILQ_FOREACH(sub, &set->list, link)
		if (sub->place.floor <= log_first(l) && log_first(l) < log_durable(l) &&
		    request_sees_sub(s, sub)) {
			request_sub_name(sub->name, out);
			return;
		}
}

struct stat_number {
	const char *word;
	uint64_t value;
};

static enum mess_err
add_numbers(const struct stat_number *n, size_t count, struct buf *out)
{
	enum mess_err err;

	for (size_t i = 0; i < count; i++)
		if ((err = buf_printf(out, "%s %llu\n", n[i].word,
		    (unsigned long long)n[i].value)) != MESS_OK)
			return err;
	return MESS_OK;
}

#define NUMBERS(array) (array), sizeof (array) / sizeof (array)[0]

/* The account: published = present + settled + expired + purged + dropped. */
static enum mess_err
add_counts(struct session *s, struct topic *t, struct subscriptions *set, struct buf *out)
{
	const struct log *l = t->log;
	const struct stat_number before[] = {
		{ "published", log_durable(l) - 1 },
		{ "first", log_first(l) },
		{ "present", log_durable(l) - log_first(l) },
		{ "bytes", log_bytes(l) },
		{ "depth", depth(l, set) },
	}, after[] = {
		{ "damaged", log_counted(l, LOG_DAMAGED) },
		{ "settled", log_counted(l, LOG_SETTLED) },
		{ "expired", log_counted(l, LOG_EXPIRED) },
		{ "purged", log_counted(l, LOG_PURGED) },
		{ "dropped", log_counted(l, LOG_DROPPED) },
		{ "refused", log_counted(l, LOG_REFUSED) },
		{ "duplicates", log_counted(l, LOG_DUPLICATES) },
		{ "dead", dead_waiting(s->host->topics, t) },
	};
	uint64_t sec = 0;
	uint32_t nsec = 0;
	char oldest[32] = "0";
	enum mess_err err;

	if (delivery_oldest(s->host->delivery, t, &sec, &nsec))
		(void)snprintf(oldest, sizeof oldest, "%llu.%09u", (unsigned long long)sec, nsec); /* fits */
	if ((err = add_numbers(NUMBERS(before), out)) != MESS_OK ||
	    (err = buf_printf(out, "oldest %s\n", oldest)) != MESS_OK)
		return err;
	return add_numbers(NUMBERS(after), out);
}

/* Limits as they are in force, what they are compared with above. */
static enum mess_err
add_limits(struct session *s, const struct topic *t, struct subscriptions *set, struct buf *out)
{
	char holder[NAME_SUB_OF_MAX + 1];
	struct journal_stat js;
	enum mess_err err;

	journal_stat(store_journal(s->host->store), &js);
	held_by(s, t->log, set, holder);
	if ((err = buf_printf(out, "paused %s\n", conf_paused(&t->conf))) != MESS_OK)
		return err;
	for (size_t i = 0; i < CONF_NUMBERS; i++)
		if ((err = buf_printf(out, "%s %llu\n", conf_numbers[i].word,
		    (unsigned long long)(strcmp(conf_numbers[i].word, "max-bytes") == 0 ? t->max_bytes :
		    conf_number(&t->conf, &conf_numbers[i])))) != MESS_OK)
			return err;
	return buf_printf(out, "full %s\ncommit-p50-us %u\ncommit-p99-us %u\nheld-by %s\n",
	    t->conf.full_drop ? "drop-oldest" : "reject", js.p50_us, js.p99_us, holder);
}

static enum mess_err
add_open_stat(struct session *s, struct topic *t, struct buf *out)
{
	struct subscriptions *set;
	struct subscription *sub;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	expiry_sweep(t, delivery_reader(s->host->delivery), SWEEP_EACH);
	if ((err = buf_printf(out, "topic %s\n", t->name)) != MESS_OK ||
	    (err = add_counts(s, t, set, out)) != MESS_OK ||
	    (err = add_limits(s, t, set, out)) != MESS_OK)
		return err;
	TAILQ_FOREACH(sub, &set->list, link)
		if (request_sees_sub(s, sub) && (err = add_sub_stat(sub, out)) != MESS_OK)
			return err;
	return MESS_OK;
}

/* One that cannot be opened was said to be damaged, and is left out. */
static enum mess_err
add_stat(struct session *s, struct topic *t, struct buf *out)
{
	enum mess_err err;

	if (topic_use(s->host->topics, t) != MESS_OK)
		return MESS_OK;
	err = add_open_stat(s, t, out);
	topic_release(s->host->topics, t);
	return err;
}

void
request_stat(struct session *s, const struct request *r)
{
	struct listing l = { .text = BUF_INIT(16 * LIMIT_LIST_BYTES) };
	struct request_topic f = { .name = r->topic, .right = ACL_SUBSCRIBE };
	struct topic *t;

	if (strcmp(r->topic, "*") != 0) {
		if (request_find_topic(s, &f, &t) != MESS_OK)
			return;
		expiry_sweep(t, delivery_reader(s->host->delivery), SWEEP_ONE);
		topic_release(s->host->topics, t);
	}
	each_topic(s, r, &l, add_stat);
	send_listing(s, &l);
}

void
request_security(struct session *s)
{
	const char *text = s->host->security != NULL ? s->host->security : "";

	session_ok(s, "%zu", strlen(text));
	output_text(&s->output, text, strlen(text));
}
