/* SPDX-License-Identifier: ISC */
/*
 * Access as requests ask for it: what a caller may do with a topic, what it
 * may see, who else may, and the same again when rules have changed.
 */
#include "request.h"

#include <stdio.h>
#include <string.h>

#include "dead.h"

const struct who_names request_names = { auth_find_user, auth_find_group };

/* --- deciding ----------------------------------------------------------- */

/* What NAME.dead are the letters of; NULL for other topics. */
static struct topic *
letters_topic(struct session_host *h, const char *name)
{
	char base[NAME_TOPIC_MAX + 1];

	if (!dead_is_topic(name))
		return NULL;
	(void)snprintf(base, sizeof base, "%.*s", (int)(strlen(name) - strlen(".dead")), name); /* fits */
	return topics_find(h->topics, base);
}

/* Its settings. */
static const struct conf_topic *
letters_of(struct session_host *h, const char *name)
{
	struct topic *t = letters_topic(h, name);

	return t != NULL && topic_look(h->topics, t) == MESS_OK ? &t->conf : NULL;
}

struct acl_verdict
request_decide(struct session_host *h, const struct principal *who, enum acl_right right, struct topic *t)
{
	struct acl_object object = { .name = t->name, .of = letters_of(h, t->name) };

	if (topic_look(h->topics, t) == MESS_OK)
		object.conf = &t->conf;
	return acl_decide(&h->acl, who, right, &object);
}

bool
request_may(struct session *s, enum acl_right right, struct topic *t)
{
	return request_decide(s->host, &s->who, right, t).may;
}

bool
request_sees(struct session *s, struct topic *t)
{
	return request_may(s, ACL_SUBSCRIBE, t) || request_may(s, ACL_PUBLISH, t) ||
	    request_may(s, ACL_ADMIN, t);
}

/* --- refusing ----------------------------------------------------------- */

/* The nearest name that the caller may see, "" if none is near. */
static void
suggest(struct session *s, const char *name, char *out, size_t size)
{
	unsigned best = 3, d;
	struct topic *t;

	out[0] = '\0';
	for (t = topics_after(s->host->topics, ""); t != NULL; t = topics_after(s->host->topics, t->name)) {
		if ((d = name_distance(name, t->name)) >= best || strcmp(name, t->name) == 0 ||
		    !request_sees(s, t))
			continue;
		best = d;
		(void)snprintf(out, size, " (did you mean \"%s\"?)", t->name); /* cut is harmless */
	}
}

void
request_no_topic(struct session *s, const char *name)
{
	char hint[NAME_TOPIC_MAX + 32];

	suggest(s, name, hint, sizeof hint);
	session_error(s, MESS_NOTOPIC, "no such topic%s", hint);
}

/* Whoever may do something with it may know who may do this. */
static void
denied(struct session *s, enum acl_right right, const struct topic *t)
{
	AUTO_BUF struct buf list = BUF_INIT(PROTOCOL_LINE_MAX / 2);

	if (acl_is_engines(t->name))
		session_error(s, MESS_DENIED, "permission denied: %s is the engine's own: nobody publishes there", t->name);
	else if (grants_write(t->conf.grants, right, false, &list) != MESS_OK || buf_len(&list) == 0)
		session_error(s, MESS_DENIED, "permission denied: %s needs the topic's owner or an administrator",
		    who_right_word(right));
	else
		session_error(s, MESS_DENIED, "permission denied: %s needs one of %.*s", who_right_word(right),
		    (int)buf_len(&list), buf_data(&list));
}

/* The same words, after the same work, whether it does not exist or is not the caller's to see. */
enum mess_err
request_refuse(struct session *s, enum acl_right right, struct topic *t)
{
	request_rule_of(s, right, t);
	if (request_sees(s, t)) {
		denied(s, right, t);
		return MESS_DENIED;
	}
	request_no_topic(s, t->name);
	return MESS_NOTOPIC;
}

/* --- subscriptions ------------------------------------------------------ */

/* Of those who may subscribe: the owner of an own one; who a shared one of the topic's names, or all. */
static bool
is_for(const struct session *s, const struct subscription *sub)
{
	uid_t owner;

	if (subscription_is_own(sub, &owner))
		return s->who.key == NULL && owner == s->who.peer.uid;
	return sub->place.share == NULL || acl_is_granted(sub->place.share, &s->who, ACL_SUBSCRIBE);
}

bool
request_sees_sub(struct session *s, const struct subscription *sub)
{
	return (is_for(s, sub) && request_may(s, ACL_SUBSCRIBE, sub->topic)) ||
	    request_may(s, ACL_ADMIN, sub->topic);
}

static bool
gave_up(struct topic *t, uid_t uid)
{
	struct subscriptions *set;
	struct subscription *sub;
	uid_t owner;

	if (subscriptions_of(t, &set) != MESS_OK)
		return false;
	TAILQ_FOREACH(sub, &set->list, link)
		if (subscription_is_own(sub, &owner) && owner == uid && sub->place.counts[PLACE_DEAD] > 0)
			return true;
	return false;
}

bool
request_has_letters(struct session *s, struct topic *t)
{
	struct topic *of = letters_topic(s->host, t->name);
	bool has;

	if (of == NULL || s->who.key != NULL ||
	    request_decide(s->host, &s->who, ACL_SUBSCRIBE, t).reason == ACL_BY_RULE ||
	    !request_may(s, ACL_SUBSCRIBE, of) || topic_use(s->host->topics, of) != MESS_OK)
		return false;
	has = gave_up(of, s->who.peer.uid);
	topic_release(s->host->topics, of);
	return has;
}

/* uid-N, or a login. */
static bool
find_uid(const char *name, size_t len, uid_t *out)
{
	char login[NAME_LOGIN_MAX + 1];
	unsigned uid;
	int used = 0;

	memcpy(login, name, len);
	login[len] = '\0';
	if (sscanf(login, "uid-%10u%n", &uid, &used) == 1 && (size_t)used == len) {
		*out = uid;
		return true;
	}
	return auth_find_user(login, out);
}

enum mess_err
request_find_sub(struct session *s, struct topic *t, const char *name, struct subscription **out)
{
	const char *slash = strchr(name, '/');
	char own[NAME_SUB_MAX + 1];
	uid_t uid = s->who.peer.uid;
	struct subscriptions *set;
	enum mess_err err;

	*out = NULL;
	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	if (slash != NULL && !find_uid(name, (size_t)(slash - name), &uid))
		return MESS_NOSUB;
	subscription_own_name(uid, slash != NULL ? slash + 1 : name, own);
	if (slash != NULL || s->who.key == NULL)
		*out = subscription_find(set, own);
	if (*out == NULL && slash == NULL)
		*out = subscription_find(set, name);
	if (*out != NULL && !request_sees_sub(s, *out))
		*out = NULL;
	return *out != NULL ? MESS_OK : MESS_NOSUB;
}

/* --- rules that changed ------------------------------------------------- */

/* Who administers a topic takes from everybody's subscription, and after that from none of them. */
static enum mess_err
still_may(void *arg, struct topic *t, const struct subscription *sub)
{
	bool may = request_may(arg, ACL_SUBSCRIBE, t);

	if (may && (sub == NULL || request_sees_sub(arg, sub)))
		return MESS_OK;
	request_cut(arg, t);
	if (may)
		return MESS_NOSUB;
	return request_sees(arg, t) ? MESS_DENIED : MESS_NOTOPIC;
}

void
request_rules_changed(struct session_host *h)
{
	struct session *s;

	h->acl.generation++;
	TAILQ_FOREACH(s, &h->sessions, link) {
		limits_again(s->user, &s->who);
		if (s->consumer != NULL)
			consumer_recheck(s->consumer, still_may, s);
	}
	/* What was forbidden may match a pattern now. */
	request_interests_again(h);
}

/* --- asking ------------------------------------------------------------- */

static void
answer(struct session *s, const char *login, enum acl_right right, const struct acl_verdict *v)
{
	AUTO_BUF struct buf text = BUF_INIT(LIMIT_LIST_BYTES);
	enum mess_err err;

	if ((err = buf_printf(&text, "%s %s %s: ", login, v->may ? "may" : "may not",
	    who_right_word(right))) != MESS_OK || (err = acl_explain(v, &text)) != MESS_OK ||
	    (err = buf_printf(&text, "\n")) != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return;
	}
	session_ok(s, "%zu %d", buf_len(&text), v->may);
	output_text(&s->output, buf_data(&text), buf_len(&text));
}

/*
 * May somebody?  Of themselves anybody may ask, of others who administers
 * the topic; making one is asked of a name that is not there.
 */
void
request_check(struct session *s, const struct request *r)
{
	struct topic *t = topics_find(s->host->topics, r->topic);
	struct acl_object object = { .name = r->topic };
	bool self = strcmp(r->login, auth_login(s->who.peer.uid)) == 0, free_who = false;
	struct principal who = s->who;
	struct acl_verdict v;

	if (!acl_is_admin(&s->host->acl, &s->who) && (!self || (t != NULL && !request_sees(s, t))) &&
	    (t == NULL || !request_may(s, ACL_ADMIN, t))) {
		request_no_topic(s, r->topic);
		return;
	}
	if (t == NULL && r->right != ACL_CREATE) {
		request_no_topic(s, r->topic);
		return;
	}
	if (!self && !(free_who = auth_look_up(r->login, &who))) {
		session_error(s, MESS_BADDATA, "user %s: no such user", r->login);
		return;
	}
	v = t != NULL ? request_decide(s->host, &who, r->right, t) :
	    acl_decide(&s->host->acl, &who, r->right, &object);
	answer(s, r->login, r->right, &v);
	if (free_who)
		auth_free(&who);
}
