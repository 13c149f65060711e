/* SPDX-License-Identifier: ISC */
/*
 * The environment of a handler: what mess-sub(1) lists, nothing of an outer
 * mess-sub's, and no half of a header.
 */
#include "test.h"

#include "../../bin/handler-env.h"

static char home[] = "HOME=/h", spool[] = "MESS_SPOOL=/s", seq[] = "MESS_SEQ=9", old[] = "MESS_H_OLD=x",
    id[] = "MESS_ID=y", users[] = "MESS_USERS=z";
static char *const outer[] = { home, spool, seq, old, id, users, NULL };

static struct mess_received
message(const char *headers)
{
	return (struct mess_received){ .topic = "t", .seq = 7, .attempt = 2, .uid = 4294967294, .gid = 5,
		.headers = headers, .headers_len = strlen(headers) };
}

static const char *
value(const struct handler_env *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; env->vars[i] != NULL; i++)
		if (strncmp(env->vars[i], name, len) == 0 && env->vars[i][len] == '=')
			return env->vars[i] + len + 1;
	return NULL;
}

static bool
has(const struct handler_env *env, const char *name, const char *want)
{
	const char *is = value(env, name);

	return is != NULL && strcmp(is, want) == 0;
}

TEST("the envelope, and what was there, without what an outer mess-sub set")
{
	struct mess_received msg = message("");
	struct handler_env env;

	CHECK(handler_env_make(&env, outer, &msg, "nightly") == MESS_OK);
	CHECK(has(&env, "HOME", "/h") && has(&env, "MESS_SPOOL", "/s") && has(&env, "MESS_USERS", "z"));
	CHECK(value(&env, "MESS_H_OLD") == NULL);
	CHECK(has(&env, "MESS_TOPIC", "t") && has(&env, "MESS_SEQ", "7") && has(&env, "MESS_ATTEMPT", "2"));
	CHECK(has(&env, "MESS_TIME", "1970-01-01T00:00:00.000000000Z"));
	CHECK(has(&env, "MESS_SUBSCRIPTION", "nightly") && has(&env, "MESS_UID", "4294967294"));
	CHECK(has(&env, "MESS_GID", "5") && has(&env, "MESS_USER", "") && has(&env, "MESS_ID", "t:7"));
	handler_env_free(&env);
}

TEST("Mess-Id is MESS_ID; the engine's headers are no others")
{
	struct mess_received msg = message("Mess-Id: load7:1\nmess-Dead-Reason: r\nMessy: m\n");
	struct handler_env env;

	CHECK(handler_env_make(&env, outer, &msg, NULL) == MESS_OK);
	CHECK(has(&env, "MESS_ID", "load7:1") && has(&env, "MESS_SUBSCRIPTION", ""));
	CHECK(has(&env, "MESS_H_MESSY", "m"));
	CHECK(value(&env, "MESS_H_MESS_ID") == NULL && value(&env, "MESS_H_MESS_DEAD_REASON") == NULL);
	handler_env_free(&env);
}

TEST("headers in capitals; repeated ones are one, joined by newlines")
{
	struct mess_received msg = message("X-Color: red\nA: 1\nx-COLOR: dark blue\nEmpty: \nX-Color: \n");
	struct handler_env env;
	size_t count = 0;

	CHECK(handler_env_make(&env, outer, &msg, "s") == MESS_OK);
	CHECK(has(&env, "MESS_H_X_COLOR", "red\ndark blue\n"));
	CHECK(has(&env, "MESS_H_A", "1") && has(&env, "MESS_H_EMPTY", ""));
	for (size_t i = 0; env.vars[i] != NULL; i++)
		count += strncmp(env.vars[i], "MESS_H_", 7) == 0;
	CHECK(count == 3 && !env.cut);
	handler_env_free(&env);
}

TEST("what does not fit into 32 KiB is left out whole, and the rest is there")
{
	static char headers[3 * HANDLER_ENV_HEADERS];
	const size_t most = HANDLER_ENV_HEADERS - sizeof "MESS_H_FITS=";
	struct handler_env env;
	struct mess_received msg;

	/* One byte too many, then one that fits to the last byte. */
	memcpy(headers, "Long: ", 6);
	memset(headers + 6, 'x', most + 1);
	memcpy(headers + 6 + most + 1, "\nFits: ", 7);
	memset(headers + 14 + most, 'y', most);
	headers[14 + 2 * most] = '\n';
	msg = message(headers);
	CHECK(handler_env_make(&env, outer, &msg, "s") == MESS_OK);
	CHECK(env.cut);
	CHECK(value(&env, "MESS_H_LONG") == NULL);
	CHECK(value(&env, "MESS_H_FITS") != NULL && strlen(value(&env, "MESS_H_FITS")) == most);
	CHECK(has(&env, "MESS_ID", "t:7"));
	handler_env_free(&env);
}
