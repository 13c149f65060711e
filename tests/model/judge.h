/* SPDX-License-Identifier: ISC */
/*
 * Between the judge*.c files: a reply, and the request that it answers.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "model.h"

/* What is being judged. */
struct judged {
	int client;
	struct client *c;
	const struct ask *a;
	bool ok;
	const char *words;	/* after OK, or after ERR and its word */
	size_t len;
	char error[16];		/* ERR's word */
};

/* It is none of those that the model allows. */
__attribute__((noreturn)) void judged_refuse(const struct judged *j, const char *want);
void judged_want_ok(const struct judged *j);
bool judged_is_error(const struct judged *j, const char *word);
void judged_want_error(const struct judged *j, const char *word);
uint64_t judged_number(const struct judged *j, unsigned k);
void judged_want_number(const struct judged *j, unsigned k, uint64_t n);
bool judged_says(const struct judged *j, const char *word);
struct sub *judged_sub_asked(const struct judged *j);
void judged_durable(void);

/* judge_settle.c */
void judge_settle(const struct judged *j);
void judge_fail(const struct judged *j);
void judge_hold(const struct judged *j);
void judge_held(const struct judged *j);

/* judge_move.c */
void judge_seek(const struct judged *j);
void judge_purge(const struct judged *j);
void judge_release(const struct judged *j);
void judge_redrive(const struct judged *j);

#endif
