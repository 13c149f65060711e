/* SPDX-License-Identifier: ISC */
/*
 * Making, setting, purging and deleting topics.
 */
#include "request.h"

#include <stdio.h>
#include <strings.h>

#include "dead.h"

/* --- settings from option lines ----------------------------------------- */

#define WHY_LEN WHO_WHY

/* Settings as the option lines change them, and what is wrong with one. */
struct settings {
	struct conf_topic conf;
	char why[WHY_LEN];
};

static bool
name_is(const struct protocol_option *o, const char *name)
{
	return o->name_len == strlen(name) && strncasecmp(o->name, name, o->name_len) == 0;
}

static bool
value_is(const struct protocol_option *o, const char *value)
{
	return o->value_len == strlen(value) && memcmp(o->value, value, o->value_len) == 0;
}

static const char *
set_number(struct settings *set, const struct protocol_option *o)
{
	const struct conf_number *n = NULL;
	uint64_t value;

	for (size_t i = 0; i < CONF_NUMBERS && n == NULL; i++)
		if (name_is(o, conf_numbers[i].word))
			n = &conf_numbers[i];
	if (n == NULL)
		return "no such setting";
	if (!protocol_option_number(o, &value))
		return "not a number";
	if (value != 0 && (value < n->least || value > n->most)) {
		(void)snprintf(set->why, sizeof set->why, "a number from %llu to %llu, or 0 for none; not %llu",
		    (unsigned long long)n->least, (unsigned long long)n->most,
		    (unsigned long long)value); /* fits by its size */
		return set->why;
	}
	conf_set_number(&set->conf, n, value);
	return NULL;
}

static const char *
set_choice(struct settings *set, const struct protocol_option *o, const char *yes, const char *no, bool *out)
{
	*out = value_is(o, yes);
	if (*out || value_is(o, no))
		return NULL;
	(void)snprintf(set->why, sizeof set->why, "%s or %s; not %.*s", no, yes,
	    o->value_len < 40 ? (int)o->value_len : 40, o->value); /* fits by its size */
	return set->why;
}

static const char *
set_text(struct settings *set, const struct protocol_option *o)
{
	const char *why;

	if (o->value_len > CONF_DESCRIBE_MAX) {
		(void)snprintf(set->why, sizeof set->why, "at most %d bytes, not %zu", CONF_DESCRIBE_MAX,
		    o->value_len); /* fits by its size */
		return set->why;
	}
	/* The rule of a header's value, and this is the line of one. */
	if (record_header_check(o->name, (size_t)(o->value + o->value_len - o->name), false, &why) != MESS_OK)
		return "UTF-8 without control characters";
	memcpy(set->conf.describe, o->value, o->value_len);
	set->conf.describe[o->value_len] = '\0';
	return NULL;
}

/* --- the topic's list --------------------------------------------------- */

/* What is changed replaces what was. */
static const char *
take_grants(struct settings *set, enum mess_err err, struct grants *changed)
{
	if (err != MESS_OK)
		return "at most 64 in a topic's list";
	grants_unref(set->conf.grants);
	set->conf.grants = changed;
	return NULL;
}

/* `Publish: WHO,...': nobody else has the right any more. */
static const char *
set_list(struct settings *set, enum acl_right right, const struct protocol_option *o)
{
	struct grants *cleared, *changed = NULL;
	struct who_list who;
	enum mess_err err;

	if (who_read_list(o->value, o->value_len, &request_names, &who, set->why) != MESS_OK)
		return set->why;
	if ((err = grants_clear(set->conf.grants, right, &cleared)) == MESS_OK) {
		err = grants_add(cleared, ACL_BIT(right), &who, &changed);
		grants_unref(cleared);
	}
	who_list_free(&who);
	return take_grants(set, err, changed);
}

/* `Grant: RIGHT,... WHO,...', or Revoke. */
static const char *
change_list(struct settings *set, bool grant, const struct protocol_option *o)
{
	const char *space = memchr(o->value, ' ', o->value_len), *why;
	struct grants *changed = NULL;
	struct who_list who;
	unsigned rights;
	enum mess_err err;

	if (space == NULL)
		return "RIGHT,... WHO,...";
	if ((why = who_read_rights(o->value, (size_t)(space - o->value), &rights)) != NULL)
		return why;
	if ((rights & ACL_BIT(ACL_CREATE)) != 0)
		return "a topic's list has publish, subscribe and admin; create is mess.conf's";
	if (who_read_list(space + 1, o->value_len - (size_t)(space + 1 - o->value),
	    grant ? &request_names : &who_any_names, &who, set->why) != MESS_OK)
		return set->why;
	err = grant ? grants_add(set->conf.grants, rights, &who, &changed) :
	    grants_remove(set->conf.grants, rights, &who, &changed);
	who_list_free(&who);
	return take_grants(set, err, changed);
}

static const char *
take_setting(void *arg, const struct protocol_option *o)
{
	struct settings *set = arg;

	if (name_is(o, "Full"))
		return set_choice(set, o, "drop-oldest", "reject", &set->conf.full_drop);
	if (name_is(o, "Pause-In"))
		return set_choice(set, o, "yes", "no", &set->conf.paused_in);
	if (name_is(o, "Pause-Out"))
		return set_choice(set, o, "yes", "no", &set->conf.paused_out);
	if (name_is(o, "Describe"))
		return set_text(set, o);
	if (name_is(o, "Grant") || name_is(o, "Revoke"))
		return change_list(set, name_is(o, "Grant"), o);
	for (enum acl_right right = ACL_PUBLISH; right <= ACL_ADMIN; right++)
		if (name_is(o, who_right_word(right)))
			return set_list(set, right, o);
	return set_number(set, o);
}

/* --- making ------------------------------------------------------------- */

/* EXISTS only for who may see it, or could make it; for others making it is denied alike. */
static void
refuse_existing(struct session *s, struct topic *t)
{
	struct acl_object object = { .name = t->name };
	struct acl_verdict v = acl_decide(&s->host->acl, &s->who, ACL_CREATE, &object);

	request_rule(s, &v);
	if (request_sees(s, t) || v.may)
		session_error(s, MESS_EXISTS, "%s", mess_strerror(MESS_EXISTS));
	else
		request_may_not_create(s);
}

/* Of those that the caller may see, so that nobody learns of another. */
static const char *
find_alike(struct session *s, const struct topic *made)
{
	struct topic *t;

	for (t = topics_after(s->host->topics, ""); t != NULL; t = topics_after(s->host->topics, t->name))
		if (name_is_alike(t->name, made->name) && request_sees(s, t))
			return t->name;
	return NULL;
}

static void
was_made(struct session *s, const struct topic *t)
{
	const char *alike = find_alike(s, t);

	if (alike != NULL)
		session_ok(s, "alike %s", alike);
	else
		session_ok(s, "%s", "");
}

void
request_create(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct topic *t = topics_find(s->host->topics, r->topic);
	struct settings set = { 0 };
	enum mess_err err;
	const char *why;

	/* First, so that the engine's own names answer alike whether there is one or not. */
	if ((err = name_check_new_topic(r->topic, &why)) != MESS_OK) {
		session_error(s, err, "%s: %s", r->topic, why);
		return;
	}
	if (t != NULL) {
		refuse_existing(s, t);
		return;
	}
	err = request_read_options(s, item, take_setting, &set) ?
	    request_make_topic(s, r->topic, &set.conf, &t) : MESS_USAGE;
	conf_topic_free(&set.conf);
	if (t != NULL)
		request_changed_so(s, "topic", "create", item);
	if (err != MESS_OK)
		return; /* it was said */
	was_made(s, t);
}

/* --- changing ----------------------------------------------------------- */

/* What the engine keeps for administrators goes by age and size alone, or the error was replied. */
static bool
is_kept(struct session *s, const struct topic *t)
{
	if (!acl_is_engines(t->name))
		return false;
	request_no_rule(s);
	session_error(s, MESS_DENIED, "permission denied: %s is the engine's own: its oldest go by age and size, "
	    "and nothing else is changed", t->name);
	return true;
}

static bool
keeps_going(const struct conf_topic *conf, const struct conf_topic *was)
{
	return conf->full_drop && !conf->paused_in && conf->max_size == 0 && conf->grants == was->grants;
}

/* Of what a request sets: the first says what it is. */
static const char *
word_of(const struct input_item *item, const char **event)
{
	const char *at = item->payload;
	size_t len = item->payload_len;
	struct protocol_option o;
	enum mess_err err;

	*event = "access";
	if (!protocol_next_option(&at, &len, &o, &err))
		return "set";
	if (name_is(&o, "Grant") || name_is(&o, "Publish") || name_is(&o, "Subscribe") || name_is(&o, "Admin"))
		return "grant";
	if (name_is(&o, "Revoke"))
		return "revoke";
	*event = "topic";
	return name_is(&o, "Pause-In") || name_is(&o, "Pause-Out") ? "pause" : "set";
}

static void
was_set(struct session *s, const struct input_item *item)
{
	const char *event, *action = word_of(item, &event);

	request_changed_so(s, event, action, item);
	session_ok(s, "%s", "");
}

static enum mess_err
change(struct session *s, struct topic *t, const struct conf_topic *conf)
{
	bool others = conf->grants != t->conf.grants;
	enum mess_err err;

	if ((err = topic_set(s->host->topics, t, conf)) != MESS_OK)
		return err;
	retention_changed(s->host->retention, t);
	delivery_topic_changed(s->host->delivery, t);
	if (others)
		request_rules_changed(s->host);
	return MESS_OK;
}

void
request_set(struct session *s, const struct input_item *item)
{
	struct request_topic f = { .name = item->request.topic, .right = ACL_ADMIN };
	struct settings set;
	enum mess_err err;
	struct topic *t;

	if (request_find_topic(s, &f, &t) != MESS_OK)
		return;
	conf_topic_copy(&set.conf, &t->conf);
	if (request_read_options(s, item, take_setting, &set) &&
	    (keeps_going(&set.conf, &t->conf) || !is_kept(s, t))) {
		if ((err = change(s, t, &set.conf)) == MESS_OK)
			was_set(s, item);
		else
			session_error(s, err, "%s", mess_strerror(err));
	}
	conf_topic_free(&set.conf);
	topic_release(s->host->topics, t);
}

static void
purged(struct session *s, enum mess_err err, uint64_t count)
{
	char text[32];

	if (err != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return;
	}
	(void)snprintf(text, sizeof text, "%llu messages", (unsigned long long)count); /* fits */
	request_changed(s, "topic", "purge", text);
	session_ok_durable(s, "%llu", (unsigned long long)count);
}

void
request_purge(struct session *s, const struct input_item *item)
{
	const struct position *at = &item->request.position;
	struct retention_time before = { .all = !item->request.has_position, .sec = at->n, .nsec = at->nsec };
	struct request_topic f = { .name = item->request.topic, .right = ACL_ADMIN };
	enum mess_err err;
	struct topic *t;
	uint64_t count = 0;

	if (request_find_topic(s, &f, &t) != MESS_OK)
		return;
	if (!is_kept(s, t)) {
		err = retention_purge(s->host->retention, t, &before, &count);
		purged(s, err, count);
	}
	topic_release(s->host->topics, t);
}

/* A topic in use; whoever has something of it lets go. */
static enum mess_err
delete_topic(struct session *s, struct topic *t)
{
	enum mess_err err = topic_delete(s->host->topics, t);

	if (err != MESS_OK)
		return err;
	intake_remove(s->host->intake, t);
	retention_remove(s->host->retention, t);
	delivery_topic_gone(s->host->delivery, t);
	if (s->host->quota != NULL)
		quota_gone(s->host->quota, t);
	return MESS_OK;
}

/* After the topic itself: a crash between leaves letters, never a topic that lost them. */
static enum mess_err
delete_letters(struct session *s, const char *topic)
{
	struct topic *t = dead_topic(s->host->topics, topic);
	enum mess_err err;

	if (t == NULL)
		return MESS_OK;
	if ((err = topic_use(s->host->topics, t)) != MESS_OK)
		return err;
	err = delete_topic(s, t);
	topic_release(s->host->topics, t);
	return err;
}

void
request_delete(struct session *s, const struct request *r)
{
	struct request_topic f = { .name = r->topic, .right = ACL_ADMIN };
	enum mess_err err;
	struct topic *t;

	if (request_find_topic(s, &f, &t) != MESS_OK)
		return;
	if (is_kept(s, t)) {
		topic_release(s->host->topics, t);
		return;
	}
	if ((err = delete_topic(s, t)) == MESS_OK) {
		request_changed(s, "topic", "delete", NULL);
		err = delete_letters(s, r->topic);
	}
	topic_release(s->host->topics, t);
	if (err == MESS_OK)
		session_ok(s, "%s", "");
	else
		session_error(s, err, "%s", mess_strerror(err));
}
