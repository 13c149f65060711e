/* SPDX-License-Identifier: ISC */
/*
 * Access.  Everything fails closed.
 */
#include "acl.h"

#include <stdio.h>
#include <string.h>

/* --- who is it ---------------------------------------------------------- */

/* By number: mess.conf's names became numbers when it was read. */
bool
acl_is_one(const struct who *w, const struct principal *who)
{
	switch (w->kind) {
	case WHO_EVERYONE:
		return true;
	case WHO_GROUP:
		return who->key == NULL && auth_in_group(who, w->id);
	case WHO_USER:
		return who->key == NULL && who->peer.uid == w->id;
	case WHO_KEY:
		return who->key != NULL && strcmp(who->key, w->name) == 0;
	}
	return false;
}

/* Is a uid still called so?  Two logins may share one. */
static bool
is_called(uid_t uid, const char *login)
{
	const char *now = auth_login(uid);
	uid_t same;

	if (strcmp(now[0] == '\0' ? "-" : now, login) == 0)
		return true;
	return auth_find_user(login, &same) && same == uid;
}

/* One of a topic's list, which was written long ago: the name must still be that number's. */
static bool
is_still(const struct who *w, const struct principal *who)
{
	if (!acl_is_one(w, who))
		return false;
	if (w->kind == WHO_USER)
		return is_called(w->id, w->name);
	return w->kind != WHO_GROUP || strcmp(auth_group(w->id), w->name) == 0;
}

bool
acl_is_admin(const struct acl *acl, const struct principal *who)
{
	if (who->key == NULL && who->peer.uid == acl->owner)
		return true;
	if (acl->personal || auth_is_overflow(who->peer.uid))
		return false;
	if (who->key == NULL && who->peer.uid == 0)
		return true;
	for (size_t i = 0; acl->site != NULL && i < acl->site->admins.count; i++)
		if (acl_is_one(&acl->site->admins.who[i], who))
			return true;
	return false;
}

bool
acl_is_engines(const char *name)
{
	return strncmp(name, "mess.", 5) == 0;
}

bool
acl_may_connect(const struct acl *acl, const struct principal *who)
{
	return !acl->personal || who->peer.uid == acl->owner;
}

/* --- the site's rules --------------------------------------------------- */

static bool
names(const struct rule *r, const struct principal *who)
{
	for (size_t i = 0; i < r->who.count; i++)
		if (acl_is_one(&r->who.who[i], who))
			return true;
	return false;
}

/* Allowing admin allows everything that is done with a topic. */
static bool
is_about(const struct rule *r, enum acl_right right)
{
	unsigned rights = r->rights;

	if (!r->deny && (rights & ACL_BIT(ACL_ADMIN)) != 0)
		rights |= ACL_BIT(ACL_PUBLISH) | ACL_BIT(ACL_SUBSCRIBE);
	return (rights & ACL_BIT(right)) != 0;
}

/* The most specific one that names the caller, deny before allow; NULL: none does. */
static const struct rule *
find_rule(const struct conf *site, const struct principal *who, enum acl_right right, const char *name)
{
	const struct rule *best = NULL;
	int order;

	for (size_t i = 0; i < site->rule_count; i++) {
		const struct rule *r = &site->rules[i];

		if (!is_about(r, right) || !name_match(r->pattern, name) || !names(r, who))
			continue;
		order = best == NULL ? -1 : rule_compare_patterns(r->pattern, best->pattern);
		if (order < 0 || (order == 0 && r->deny && !best->deny))
			best = r;
	}
	return best;
}

/* --- a topic's own list ------------------------------------------------- */

static bool
is_owner(const struct conf_topic *conf, const struct principal *who)
{
	return who->key == NULL && who->peer.uid == conf->uid && is_called(conf->uid, conf->login);
}

/* The uid has a name, and it is not the owner's. */
static bool
is_frozen(const struct conf_topic *conf)
{
	return auth_login(conf->uid)[0] != '\0' && !is_called(conf->uid, conf->login);
}

static const struct who *
find_grant(const struct grants *g, const struct principal *who, enum acl_right right)
{
	unsigned rights = ACL_BIT(right) | ACL_BIT(ACL_ADMIN);

	for (size_t i = 0; g != NULL && i < g->count; i++)
		if ((g->g[i].rights & rights) != 0 && is_still(&g->g[i].who, who))
			return &g->g[i].who;
	return NULL;
}

bool
acl_is_granted(const struct grants *g, const struct principal *who, enum acl_right right)
{
	return find_grant(g, who, right) != NULL;
}

static struct acl_verdict
by_list(const struct conf_topic *conf, const struct principal *who, enum acl_right right)
{
	const struct who *granted;

	if (is_owner(conf, who))
		return (struct acl_verdict){ true, ACL_BY_OWNER, NULL, NULL };
	if ((granted = find_grant(conf->grants, who, right)) != NULL)
		return (struct acl_verdict){ true, ACL_BY_GRANT, NULL, granted };
	return (struct acl_verdict){ .reason = ACL_NOBODY_ALLOWS };
}

/* A login that could be taken for user.uid-N of another is used by number too. */
bool
acl_is_own_name(uid_t uid, const char *login, const char *name)
{
	char own[NAME_TOPIC_MAX + 1];
	int n;

	if (login[0] != '\0' && name_check_sub(login, NULL) == MESS_OK && strncmp(login, "uid-", 4) != 0)
		n = snprintf(own, sizeof own, "user.%s.", login);
	else
		n = snprintf(own, sizeof own, "user.uid-%u.", uid);
	return n > 0 && (size_t)n < sizeof own && strncmp(name, own, (size_t)n) == 0;
}

/* --- the decision ------------------------------------------------------- */

/* Letters are read, and brought back, by who administers what they were sent to. */
static struct acl_verdict
by_letters(const struct acl *acl, const struct principal *who, const struct acl_object *object)
{
	struct acl_object of = { .conf = object->of };
	char name[NAME_TOPIC_MAX + 1];

	(void)snprintf(name, sizeof name, "%.*s", (int)(strlen(object->name) - strlen(".dead")),
	    object->name); /* fits by the name's limit */
	of.name = name;
	return (struct acl_verdict){ acl_decide(acl, who, ACL_ADMIN, &of).may, ACL_BY_LETTERS, NULL, NULL };
}

static struct acl_verdict
by_default(const struct acl *acl, const struct principal *who, enum acl_right right, const struct acl_object *object)
{
	struct acl_verdict v = { .reason = ACL_NOBODY_ALLOWS };

	if (right == ACL_CREATE) {
		if (who->key == NULL && acl_is_own_name(who->peer.uid, auth_login(who->peer.uid), object->name))
			v = (struct acl_verdict){ true, ACL_BY_LOGIN, NULL, NULL };
		return v;
	}
	if (object->conf == NULL)
		return v;
	v = by_list(object->conf, who, right);
	if (v.may || object->of == NULL || right == ACL_PUBLISH)
		return v;
	return by_letters(acl, who, object);
}

struct acl_verdict
acl_decide(const struct acl *acl, const struct principal *who, enum acl_right right,
    const struct acl_object *object)
{
	const struct rule *rule = NULL;

	if ((unsigned)right >= ACL_RIGHTS)
		return (struct acl_verdict){ .reason = ACL_NOBODY_ALLOWS };
	if (acl->personal)
		return (struct acl_verdict){ acl_is_admin(acl, who), ACL_BY_SPOOL, NULL, NULL };
	/* An unmapped uid is many people's at once: not even what everyone may. */
	if (who->key == NULL && auth_is_overflow(who->peer.uid))
		return (struct acl_verdict){ .reason = ACL_UNMAPPED };
	/* Before all rules: no pattern opens it, and an administrator cannot forge what it says. */
	if (acl_is_engines(object->name) &&
	    (right == ACL_PUBLISH || right == ACL_CREATE || !acl_is_admin(acl, who)))
		return (struct acl_verdict){ .reason = ACL_ENGINES };
	if (acl_is_admin(acl, who))
		return (struct acl_verdict){ true, ACL_BY_ADMIN, NULL, NULL };
	/* Before all lists: they were written for somebody who is gone. */
	if (object->conf != NULL && is_frozen(object->conf))
		return (struct acl_verdict){ .reason = ACL_FROZEN };
	if (acl->site != NULL)
		rule = find_rule(acl->site, who, right, object->name);
	if (rule != NULL)
		return (struct acl_verdict){ !rule->deny, ACL_BY_RULE, rule, NULL };
	return by_default(acl, who, right, object);
}

/* --- why ---------------------------------------------------------------- */

enum mess_err
acl_explain(const struct acl_verdict *v, struct buf *out)
{
	static const char *const texts[] = {
		[ACL_NOBODY_ALLOWS] = "neither mess.conf nor the topic's list allows it",
		[ACL_UNMAPPED] = "the kernel could not map the uid: it is nobody's",
		[ACL_ENGINES] = "the engine's own: nobody publishes there, and only administrators read it",
		[ACL_FROZEN] = "the owner's uid was given to somebody new: the topic is frozen for all but administrators",
		[ACL_BY_SPOOL] = "a personal spool is its owner's",
		[ACL_BY_ADMIN] = "an administrator",
		[ACL_BY_OWNER] = "the topic's owner",
		[ACL_BY_LOGIN] = "below the user's own name",
		[ACL_BY_LETTERS] = "who administers a topic has its dead letters",
	};
	char text[WHO_TEXT];
	enum mess_err err;

	if (v->reason == ACL_BY_RULE) {
		if ((err = buf_printf(out, "mess.conf line %u: ", v->rule->line)) != MESS_OK)
			return err;
		return rule_write(v->rule, out);
	}
	if (v->reason != ACL_BY_GRANT)
		return buf_printf(out, "%s", texts[v->reason]);
	who_write(v->who, text);
	return buf_printf(out, "the topic's list: %s", text);
}
