/* SPDX-License-Identifier: ISC */
/*
 * The protocol.
 *
 * Promise: a line means one thing or is refused.  Words are separated by
 * exactly one space and numbers have one spelling, so that what is read
 * here can be written again byte for byte.  Nothing behind the line is read.
 */
#include "protocol.h"

#include <string.h>

struct word {
	const char *at;
	size_t len;
};

/* What is left of a line; at is behind the space that ended the last word. */
struct words {
	const char *at;
	const char *end;
	bool more;	/* another word has to follow */
};

/*
 * The grammar: each letter of args is one word, those behind | may be
 * missing.  read_arg says what they are.
 */
static const struct {
	const char *name;
	const char *args;
} grammar[] = {
	[REQ_HELLO] = { "HELLO", "v" },
	[REQ_PUB] = { "PUB", "thb" },
	[REQ_PUBS] = { "PUBS", "tcb" },
	[REQ_STREAM] = { "STREAM", "th" },
	[REQ_RESUME] = { "RESUME", "" },
	[REQ_SUB] = { "SUB", "ps|l" },
	[REQ_TAIL] = { "TAIL", "p" },
	[REQ_PEEK] = { "PEEK", "ts" },
	[REQ_READ] = { "READ", "tqy" },
	[REQ_TAKE] = { "TAKE", "c|n" },
	[REQ_ACK] = { "ACK", "tr" },
	[REQ_NACK] = { "NACK", "tr" },
	[REQ_RETRY] = { "RETRY", "tql" },
	[REQ_DEAD] = { "DEAD", "tql" },
	[REQ_HOLD] = { "HOLD", "tqm" },
	[REQ_SETTLE] = { "SETTLE", "wtsqkl" },
	[REQ_SUBADD] = { "SUBADD", "tsl" },
	[REQ_SUBRM] = { "SUBRM", "ts" },
	[REQ_SEEK] = { "SEEK", "tsx" },
	[REQ_RELEASE] = { "RELEASE", "ts" },
	[REQ_REDRIVE] = { "REDRIVE", "tl" },
	[REQ_CREATE] = { "CREATE", "t|l" },
	[REQ_SET] = { "SET", "tl" },
	[REQ_PURGE] = { "PURGE", "t|d" },
	[REQ_DELETE] = { "DELETE", "t" },
	[REQ_LIST] = { "LIST", "p|a" },
	[REQ_SHOW] = { "SHOW", "t" },
	[REQ_STAT] = { "STAT", "o|a" },
	[REQ_CHECK] = { "CHECK", "tgu" },
	[REQ_SECURITY] = { "SECURITY", "" },
};

#define VERBS (sizeof grammar / sizeof grammar[0])

static enum mess_err
refuse(enum mess_err err, const char **why, const char *rule)
{
	if (why != NULL)
		*why = rule;
	return err;
}

/* --- words and numbers --- */

static struct words
words_of(const char *line, size_t len)
{
	return (struct words){ line, line + len, true };
}

/* False when there is none, or an empty one: two spaces, or one at an end. */
static bool
next_word(struct words *w, struct word *out)
{
	const char *space;

	if (!w->more || w->at == w->end)
		return false;
	space = memchr(w->at, ' ', (size_t)(w->end - w->at));
	out->at = w->at;
	out->len = (size_t)((space == NULL ? w->end : space) - w->at);
	w->more = space != NULL;
	w->at = space == NULL ? w->end : space + 1;
	return out->len > 0;
}

static bool
word_is(struct word w, const char *text)
{
	return strlen(text) == w.len && memcmp(w.at, text, w.len) == 0;
}

/* A number that two of can be added. */
static bool
word_number(struct word w, uint64_t *out)
{
	const char *end = w.at + w.len;
	uint64_t n;

	if (!record_read_number(&w.at, end, &n) || w.at != end || n > INT64_MAX)
		return false;
	*out = n;
	return true;
}

static bool
next_number(struct words *w, uint64_t *out)
{
	struct word word;

	return next_word(w, &word) && word_number(word, out);
}

/* N or LO-HI at *at; on true *at is behind it. */
static bool
read_range(const char **at, const char *end, uint64_t *lo, uint64_t *hi)
{
	if (!record_read_number(at, end, lo))
		return false;
	*hi = *lo;
	if (*at == end || **at != '-')
		return true;
	(*at)++;
	return record_read_number(at, end, hi) && *lo <= *hi;
}

/* SECONDS.NANOSECONDS, as in a record's line. */
static bool
word_time(struct word w, uint64_t *sec, uint32_t *nsec)
{
	const char *at = w.at, *end = w.at + w.len;
	uint32_t n = 0;

	if (!record_read_number(&at, end, sec) || *sec > INT64_MAX || end - at != 10 || *at++ != '.')
		return false;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return false;
		n = n * 10 + (uint32_t)(*at - '0');
	}
	*nsec = n;
	return true;
}

static bool
word_position(struct word w, struct position *out)
{
	struct word rest = { w.at + 1, w.len - 1 };
	struct position p = { .kind = POS_NUMBER };

	if (word_is(w, "oldest"))
		p.kind = POS_OLDEST;
	else if (word_is(w, "now"))
		p.kind = POS_NOW;
	else if (w.len > 1 && *w.at == '-') {
		p.kind = POS_LAST;
		if (!word_number(rest, &p.n))
			return false;
	} else if (w.len > 1 && *w.at == '@') {
		p.kind = POS_TIME;
		if (!word_time(rest, &p.n, &p.nsec))
			return false;
	} else if (!word_number(w, &p.n))
		return false;
	*out = p;
	return true;
}

bool
protocol_read_position(const char *text, size_t len, struct position *out)
{
	return len > 0 && word_position((struct word){ text, len }, out);
}

/* --- requests --- */

/* Copy a word that fits and hides nothing behind a NUL, and check it. */
static enum mess_err
copy_name(struct word w, char *out, size_t size,
    enum mess_err (*check)(const char *, const char **), const char **why)
{
	if (w.len >= size)
		return refuse(MESS_BADNAME, why, size > NAME_SUB_OF_MAX + 1 ?
		    "a name is at most 195 bytes" : "a label is at most 63 bytes");
	if (memchr(w.at, '\0', w.len) != NULL)
		return refuse(MESS_BADNAME, why, "a label is made of a-z, 0-9, - and _");
	memcpy(out, w.at, w.len);
	out[w.len] = '\0';
	return check(out, why);
}

/* Whether there is such a user is the engine's to say. */
static enum mess_err
check_login(const char *login, const char **why)
{
	for (const unsigned char *p = (const unsigned char *)login; *p != '\0'; p++)
		if (*p <= ' ' || *p == 0x7f)
			return refuse(MESS_BADNAME, why, "a login has no blanks and no control characters");
	return MESS_OK;
}

static enum mess_err
read_topic_or_all(struct word w, struct request *r, const char **why)
{
	if (!word_is(w, "*"))
		return copy_name(w, r->topic, sizeof r->topic, name_check_topic, why);
	memcpy(r->topic, "*", sizeof "*");
	return MESS_OK;
}

static enum mess_err
read_number_arg(struct word w, uint64_t *out, const char **why)
{
	if (!word_number(w, out))
		return refuse(MESS_PROTOCOL, why,
		    "a number is decimal, without sign or leading zeros, at most 2^63-1");
	return MESS_OK;
}

/* The ranges are this word and all that follow. */
static enum mess_err
read_ranges(struct word w, struct words *rest, struct request *r, const char **why)
{
	uint64_t lo, hi;

	r->ranges = w.at;
	r->ranges_len = (size_t)(rest->end - w.at);
	do {
		const char *at = w.at;

		if (!read_range(&at, w.at + w.len, &lo, &hi) || at != w.at + w.len)
			return refuse(MESS_PROTOCOL, why, "a range is N or LO-HI, in decimal");
	} while (next_word(rest, &w));
	return MESS_OK;
}

/* 16 lower-case hex digits. */
static bool
word_token(struct word w, uint64_t *out)
{
	uint64_t n = 0;

	if (w.len != 16)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		char c = w.at[i];

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return true;
}

static bool
word_settle(struct word w, enum settle *out)
{
	static const char *const words[] = { [SETTLE_ACK] = "ack", [SETTLE_NACK] = "nack",
		[SETTLE_RETRY] = "retry", [SETTLE_DEAD] = "dead" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (word_is(w, words[i])) {
			*out = (enum settle)i;
			return true;
		}
	return false;
}

static bool
word_right(struct word w, enum acl_right *out)
{
	for (enum acl_right right = 0; right < ACL_RIGHTS; right++)
		if (word_is(w, who_right_word(right))) {
			*out = right;
			return true;
		}
	return false;
}

/* Words of the requests that settle, move and ask. */
static enum mess_err
read_settling(char kind, struct word w, struct request *r, const char **why)
{
	switch (kind) {
	case 'w':
		return word_settle(w, &r->how) ? MESS_OK :
		    refuse(MESS_PROTOCOL, why, "a message is settled by ack, nack, retry or dead");
	case 'k':
		return word_token(w, &r->token) ? MESS_OK :
		    refuse(MESS_PROTOCOL, why, "a token is 16 digits of 0-9 and a-f");
	case 'x':
		return word_position(w, &r->position) ? MESS_OK :
		    refuse(MESS_PROTOCOL, why, "a position is oldest, now, N, -N or @SECONDS.NANOSECONDS");
	case 'g':
		return word_right(w, &r->right) ? MESS_OK :
		    refuse(MESS_PROTOCOL, why, "a right is publish, subscribe, admin or create");
	case 'd':
		r->has_position = true;
		r->position.kind = POS_TIME;
		return word_time(w, &r->position.n, &r->position.nsec) ? MESS_OK :
		    refuse(MESS_PROTOCOL, why, "a time is SECONDS.NANOSECONDS");
	default:
		return refuse(MESS_BUG, why, "the grammar has a word that nothing reads");
	}
}

static enum mess_err
read_arg(char kind, struct word w, struct words *rest, struct request *r, const char **why)
{
	switch (kind) {
	case 't':
		return copy_name(w, r->topic, sizeof r->topic, name_check_topic, why);
	case 'p':
		return copy_name(w, r->topic, sizeof r->topic, name_check_pattern, why);
	case 'o':
		return read_topic_or_all(w, r, why);
	case 'a':
		return copy_name(w, r->after, sizeof r->after, name_check_topic, why);
	case 'u':
		return copy_name(w, r->login, sizeof r->login, check_login, why);
	case 's':
		return copy_name(w, r->sub, sizeof r->sub, name_check_sub_of, why);
	case 'v':
		return read_number_arg(w, &r->version, why);
	case 'h':
		return read_number_arg(w, &r->headers_len, why);
	case 'b':
		return read_number_arg(w, &r->body_len, why);
	case 'c':
		return read_number_arg(w, &r->count, why);
	case 'r':
		return read_ranges(w, rest, r, why);
	case 'n':
		r->now = word_is(w, "now");
		return r->now ? MESS_OK : refuse(MESS_PROTOCOL, why, "only now may follow TAKE N");
	case 'l':
		return read_number_arg(w, &r->options_len, why);
	case 'q':
		return read_number_arg(w, &r->seq, why);
	case 'm':
		return read_number_arg(w, &r->ms, why);
	case 'y':
		return read_number_arg(w, &r->last, why);
	default:
		return read_settling(kind, w, r, why);
	}
}

/*
 * A name that is not valid does not end the reading: the lengths behind it
 * are needed to skip what they count.
 */
static enum mess_err
read_args(const char *args, struct words *rest, struct request *r, const char **why)
{
	enum mess_err named = MESS_OK, err;
	bool optional = false;
	const char *rule;
	struct word w;

	for (; *args != '\0'; args++) {
		if (*args == '|') {
			optional = true;
			continue;
		}
		if (optional && !rest->more)
			break;
		if (!next_word(rest, &w))
			return refuse(MESS_PROTOCOL, why, "a word is missing, or two spaces meet");
		err = read_arg(*args, w, rest, r, &rule);
		if (err != MESS_OK && err != MESS_BADNAME)
			return refuse(err, why, rule);
		if (optional && *args == 'l' && r->options_len == 0)
			return refuse(MESS_PROTOCOL, why, "where options may be missing, 0 bytes are none");
		if (err != MESS_OK && named == MESS_OK)
			named = refuse(err, why, rule);
	}
	if (rest->more)
		return refuse(MESS_PROTOCOL, why, "a word too many, or a space at the end");
	return named;
}

/* What the grammar does not say. */
static enum mess_err
check_form(const struct request *r, const char **why)
{
	if (r->verb == REQ_PUBS && r->count == 0)
		return refuse(MESS_PROTOCOL, why, "a batch has at least one message");
	if (r->verb == REQ_STAT && r->after[0] != '\0' && strcmp(r->topic, "*") != 0)
		return refuse(MESS_PROTOCOL, why, "only * may be followed by a name");
	return MESS_OK;
}

#define TEXT(limit) TEXT_OF(limit)
#define TEXT_OF(limit) #limit
_Static_assert(MESS_INLINE_MAX == 262144 && PROTOCOL_BATCH_MAX == 4194304 &&
    PROTOCOL_HEADERS_MAX == 9216, "said below");

static enum mess_err
check_limits(const struct request *r, const char **why)
{
	if (r->headers_len > PROTOCOL_HEADERS_MAX)
		return refuse(MESS_TOOBIG, why, "headers are at most 8192 bytes, with instructions 9216");
	if (r->verb == REQ_PUB && r->body_len > MESS_INLINE_MAX)
		return refuse(MESS_TOOBIG, why, "a body of PUB is at most 262144 bytes: use STREAM");
	if (r->verb == REQ_PUBS && r->body_len > PROTOCOL_BATCH_MAX)
		return refuse(MESS_TOOBIG, why, "a batch is at most 4194304 bytes");
	if (r->options_len > PROTOCOL_OPTIONS_MAX)
		return refuse(MESS_TOOBIG, why, "options are at most 8192 bytes");
	if (r->verb == REQ_PUBS && r->count > PROTOCOL_BATCH_COUNT)
		return refuse(MESS_TOOBIG, why,
		    "a batch is at most " TEXT(PROTOCOL_BATCH_COUNT) " messages");
	return MESS_OK;
}

const char *
protocol_verb(enum request_verb verb)
{
	return (size_t)verb < VERBS ? grammar[verb].name : "-";
}

static bool
find_verb(struct word w, enum request_verb *out)
{
	for (size_t i = 0; i < VERBS; i++)
		if (word_is(w, grammar[i].name)) {
			*out = (enum request_verb)i;
			return true;
		}
	return false;
}

/* The names' arrays are most of it, and empty by their first byte. */
static void
clear(struct request *r)
{
	r->topic[0] = r->after[0] = r->sub[0] = '\0';
	r->version = r->headers_len = r->body_len = r->count = 0;
	r->options_len = r->seq = r->last = r->ms = r->token = 0;
	r->now = r->has_position = false;
	r->ranges = NULL;
	r->ranges_len = 0;
}

enum mess_err
protocol_read_request(const char *line, size_t len, struct request *out, const char **why)
{
	struct words rest = words_of(line, len);
	enum mess_err named, err;
	struct word verb;

	clear(out);
	if (len >= PROTOCOL_LINE_MAX)
		return refuse(MESS_PROTOCOL, why, "a line is at most 4096 bytes");
	if (!next_word(&rest, &verb) || !find_verb(verb, &out->verb))
		return refuse(MESS_PROTOCOL, why, "no such request");
	named = read_args(grammar[out->verb].args, &rest, out, why);
	if (named != MESS_OK && named != MESS_BADNAME)
		return named;
	if ((err = check_form(out, why)) != MESS_OK)
		return err;
	return named != MESS_OK ? named : check_limits(out, why);
}

bool
protocol_next_range(const char **ranges, size_t *len, uint64_t *lo, uint64_t *hi)
{
	const char *end = *ranges + *len;

	if (*len == 0 || !read_range(ranges, end, lo, hi))
		return false;
	if (*ranges < end)
		(*ranges)++; /* the space */
	*len = (size_t)(end - *ranges);
	return true;
}

/* --- option lines --- */

bool
protocol_next_option(const char **options, size_t *len, struct protocol_option *out,
    enum mess_err *err)
{
	const char *nl, *colon;
	size_t n;

	*err = MESS_OK;
	if (*len == 0)
		return false;
	nl = memchr(*options, '\n', *len);
	n = nl == NULL ? 0 : (size_t)(nl - *options);
	colon = memchr(*options, ':', n);
	if (colon == NULL || nl - colon < 2 || colon[1] != ' ' || colon == *options ||
	    memchr(*options, '\0', n) != NULL) {
		*err = MESS_USAGE;
		return false;
	}
	*out = (struct protocol_option){ .name = *options, .name_len = (size_t)(colon - *options),
		.value = colon + 2, .value_len = (size_t)(nl - colon) - 2 };
	*options += n + 1;
	*len -= n + 1;
	return true;
}

bool
protocol_option_is(const struct protocol_option *o, const char *name)
{
	return word_is((struct word){ o->name, o->name_len }, name);
}

bool
protocol_option_number(const struct protocol_option *o, uint64_t *out)
{
	return o->value_len > 0 && word_number((struct word){ o->value, o->value_len }, out);
}

/* --- what is counted inside a PUBS and a STREAM --- */

enum mess_err
protocol_read_item(const char *data, size_t len, uint64_t *headers_len, uint64_t *body_len,
    size_t *used)
{
	const char *at = data, *end = data + len;
	uint64_t headers, body;

	if (!record_read_number(&at, end, &headers) || at == end || *at++ != ' ' ||
	    !record_read_number(&at, end, &body) || at == end || *at++ != '\n')
		return MESS_PROTOCOL;
	if (headers > PROTOCOL_HEADERS_MAX || body > MESS_INLINE_MAX)
		return MESS_TOOBIG;
	*headers_len = headers;
	*body_len = body;
	*used = (size_t)(at - data);
	return MESS_OK;
}

enum mess_err
protocol_read_chunk(const char *line, size_t len, uint64_t *chunk)
{
	uint64_t n;

	if (!word_number((struct word){ line, len }, &n))
		return MESS_PROTOCOL;
	if (n > PROTOCOL_CHUNK_MAX)
		return MESS_TOOBIG;
	*chunk = n;
	return MESS_OK;
}

/* --- replies --- */

/* Each reads what follows the first word. */

static bool
read_text(struct words *rest, struct reply *out)
{
	out->text = rest->at;
	out->text_len = (size_t)(rest->end - rest->at);
	return !rest->more || out->text_len > 0;
}

static bool
read_err(struct words *rest, struct reply *out)
{
	struct word word;

	if (!next_word(rest, &word))
		return false;
	/* An error of a newer engine is still one, with its text. */
	out->err = err_from_word(word.at, word.len);
	return read_text(rest, out);
}

static bool
read_msg(struct words *rest, struct reply *out)
{
	struct word topic;

	return next_word(rest, &topic) &&
	    copy_name(topic, out->topic, sizeof out->topic, name_check_topic, NULL) == MESS_OK &&
	    next_number(rest, &out->count) && next_number(rest, &out->bytes) &&
	    next_number(rest, &out->attempt) && !rest->more && out->count > 0 && out->attempt > 0;
}

static bool
read_gone(struct words *rest, struct reply *out)
{
	struct word topic;

	return next_word(rest, &topic) &&
	    copy_name(topic, out->topic, sizeof out->topic, name_check_topic, NULL) == MESS_OK &&
	    read_err(rest, out);
}

static bool
read_reply(struct word kind, struct words *rest, struct reply *out)
{
	if (word_is(kind, "MSG")) {
		out->kind = REPLY_MSG;
		return read_msg(rest, out);
	}
	if (word_is(kind, "OK")) {
		out->kind = REPLY_OK;
		return read_text(rest, out);
	}
	if (word_is(kind, "ERR")) {
		out->kind = REPLY_ERR;
		return read_err(rest, out);
	}
	if (word_is(kind, "GONE")) {
		out->kind = REPLY_GONE;
		return read_gone(rest, out);
	}
	out->kind = REPLY_END;
	return word_is(kind, "END") && !rest->more;
}

enum mess_err
protocol_read_reply(const char *line, size_t len, struct reply *out)
{
	struct words rest = words_of(line, len);
	struct word kind;
	struct reply r;

	r.err = MESS_OK;
	r.text = line + len;
	r.text_len = 0;
	r.topic[0] = '\0';
	r.count = r.bytes = r.attempt = 0;
	if (len >= PROTOCOL_LINE_MAX || !next_word(&rest, &kind) || !read_reply(kind, &rest, &r))
		return MESS_PROTOCOL;
	*out = r;
	return MESS_OK;
}

bool
protocol_reply_number(const struct reply *r, unsigned k, uint64_t *out)
{
	struct words rest = words_of(r->text, r->text_len);
	struct word word;
	uint64_t n;

	while (next_word(&rest, &word)) {
		if (!word_number(word, &n))
			continue;
		if (k-- == 0) {
			*out = n;
			return true;
		}
	}
	return false;
}
