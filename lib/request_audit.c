/* SPDX-License-Identifier: ISC */
/*
 * What of requests is audited: whatever they change, by the rule that let
 * them; what is refused passes through session_error.
 */
#include "request.h"

#include <bsd/string.h>
#include <stdio.h>

void
request_begins(struct session *s, const struct input_item *item)
{
	struct session_asked *a = &s->host->asked;
	const struct request *r = &item->request;

	*a = (struct session_asked){ .by = s, .action = protocol_verb(r->verb), .object = r->topic,
		.sub = r->sub };
}

void
request_goes_on(struct session *s, enum request_verb verb)
{
	s->host->asked = (struct session_asked){ .by = s, .action = protocol_verb(verb),
		.object = s->pub_topic != NULL ? s->pub_topic->name : NULL };
}

void
request_ends(struct session *s)
{
	s->host->asked.by = NULL;
}

void
request_rule(struct session *s, const struct acl_verdict *v)
{
	struct session_asked *a = &s->host->asked;
	AUTO_BUF struct buf text = BUF_INIT(LIMIT_LIST_BYTES);

	if (s->host->audit == NULL || acl_explain(v, &text) != MESS_OK)
		return;
	(void)snprintf(a->rule, sizeof a->rule, "%.*s", (int)buf_len(&text), buf_data(&text)); /* audit cuts it there, too */
}

void
request_rule_of(struct session *s, enum acl_right right, struct topic *t)
{
	struct acl_verdict v;

	if (s->host->audit == NULL)
		return;
	v = request_decide(s->host, &s->who, right, t);
	request_rule(s, &v);
}

void
request_no_rule(struct session *s)
{
	s->host->asked.rule[0] = '\0';
}

void
request_changed(struct session *s, const char *event, const char *action, const char *detail)
{
	const struct session_asked *a = &s->host->asked;

	audit(s->host->audit, &(struct audit_event){ .event = event, .who = &s->who,
		.action = action, .object = a->object, .sub = a->sub, .result = "ok",
		.rule = a->rule, .detail = detail, .change = true });
}

/* Its options are in the words in which they were sent. */
void
request_changed_so(struct session *s, const char *event, const char *action, const struct input_item *item)
{
	char text[AUDIT_VALUE_MAX + 2];
	size_t len = item->payload_len < sizeof text ? item->payload_len : sizeof text - 1;

	while (item->payload_len < sizeof text && len > 0 && item->payload[len - 1] == '\n')
		len--;
	if (len > 0)
		memcpy(text, item->payload, len);
	text[len] = '\0';
	request_changed(s, event, action, text);
}

void
request_cut(struct session *s, struct topic *t)
{
	struct acl_verdict v = request_decide(s->host, &s->who, ACL_SUBSCRIBE, t);
	AUTO_BUF struct buf text = BUF_INIT(LIMIT_LIST_BYTES);
	struct audit_event e = { .event = "access", .who = &s->who, .action = "cut", .object = t->name,
		.result = "ok", .change = true };

	if (s->host->audit == NULL)
		return;
	if (acl_explain(&v, &text) == MESS_OK && buf_append(&text, "", 1) == MESS_OK)
		e.rule = buf_data(&text);
	audit(s->host->audit, &e);
}
