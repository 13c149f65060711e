/* SPDX-License-Identifier: ISC */
/*
 * The message record.
 *
 * Promise: record_read accepts exactly what was written, byte for byte, and
 * reads nothing behind the bytes it is given.  Places come from lengths in
 * the line and are bounded before they are used; nothing is searched for.
 */
#include "record.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* For a state on the stack: making one could fail.  Its size is fixed since 0.8.0. */
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define KIND_LEN 6		/* "mess1 " */
#define SUM_LEN 16
#define NSEC_DIGITS 9
#define SMALL_PAYLOAD 1024	/* summed from a copy, which is faster than in pieces */

static const char kind_inline[] = "mess1 ";
static const char kind_apart[] = "body1 ";

uint64_t
record_rest_len(const struct record *r)
{
	return r->headers_len + (r->apart ? 0 : r->body_len) + 2;
}

/* --- sums --- */

static uint64_t
sum_small(const void *headers, size_t headers_len, const void *body, size_t body_len)
{
	char payload[SMALL_PAYLOAD];

	if (headers_len > 0)
		memcpy(payload, headers, headers_len);
	payload[headers_len] = '\n';
	if (body_len > 0)
		memcpy(payload + headers_len + 1, body, body_len);
	return XXH3_64bits(payload, headers_len + 1 + body_len);
}

uint64_t
record_payload_sum(const void *headers, size_t headers_len, const void *body, size_t body_len)
{
	XXH3_state_t state;

	if (headers_len < SMALL_PAYLOAD && body_len < SMALL_PAYLOAD - headers_len)
		return sum_small(headers, headers_len, body, body_len);
	/* Without a state or data these fail; an empty update is not for them. */
	(void)XXH3_64bits_reset(&state);
	if (headers_len > 0)
		(void)XXH3_64bits_update(&state, headers, headers_len);
	(void)XXH3_64bits_update(&state, "\n", 1);
	if (body_len > 0)
		(void)XXH3_64bits_update(&state, body, body_len);
	return XXH3_64bits_digest(&state);
}

struct record_summer {
	XXH3_state_t state;
};

struct record_summer *
record_summer_new(void)
{
	/* The state has an alignment that malloc does not promise. */
	struct record_summer *s = aligned_alloc(alignof(struct record_summer), sizeof *s);

	if (s != NULL)
		(void)XXH3_64bits_reset(&s->state); /* fails only without a state */
	return s;
}

void
record_summer_free(struct record_summer *s)
{
	free(s);
}

void
record_summer_add(struct record_summer *s, const void *data, size_t len)
{
	if (len > 0)
		(void)XXH3_64bits_update(&s->state, data, len); /* fails only without data */
}

uint64_t
record_summer_end(const struct record_summer *s)
{
	return XXH3_64bits_digest(&s->state);
}

/* --- writing --- */

static char *
put_number(char *at, uint64_t n)
{
	char digits[20];
	char *first = digits + sizeof digits;
	size_t len;

	do {
		*--first = (char)('0' + n % 10);
	} while ((n /= 10) != 0);
	len = (size_t)(digits + sizeof digits - first);
	memcpy(at, first, len);
	at[len] = ' ';
	return at + len + 1;
}

static char *
put_nsec(char *at, uint32_t nsec)
{
	for (int i = NSEC_DIGITS - 1; i >= 0; i--, nsec /= 10)
		at[i] = (char)('0' + nsec % 10);
	at[NSEC_DIGITS] = ' ';
	return at + NSEC_DIGITS + 1;
}

static char *
put_sum(char *at, uint64_t sum)
{
	for (int i = SUM_LEN - 1; i >= 0; i--, sum >>= 4)
		at[i] = "0123456789abcdef"[sum & 15];
	at[SUM_LEN] = '\n';
	return at + SUM_LEN + 1;
}

size_t
record_write_line(struct record *r, uint64_t payload_sum, char *out)
{
	char *at = out + KIND_LEN;

	memcpy(out, kind_inline, KIND_LEN);
	at = put_number(at, r->seq);
	at = put_number(at, r->sec);
	at[-1] = '.';
	at = put_nsec(at, r->nsec);
	at = put_number(at, r->uid);
	at = put_number(at, r->gid);
	at = put_number(at, r->pid);
	at = put_number(at, r->headers_len);
	at = put_number(at, r->body_len);
	r->sum = XXH3_64bits_withSeed(out, (size_t)(at - out), payload_sum);
	at = put_sum(at, r->sum);
	/* The sum is that of the record which a reader is given, with its body. */
	if (r->apart)
		memcpy(out, kind_apart, KIND_LEN);
	return (size_t)(at - out);
}

bool
record_sum_holds(const struct record *r, uint64_t payload_sum)
{
	struct record again = *r;
	char line[RECORD_LINE_MAX];

	(void)record_write_line(&again, payload_sum, line);
	return again.sum == r->sum;
}

/* --- reading --- */

/* Each take_ moves *at behind what it took; false when it is not there. */

static bool
take_byte(const char **at, const char *end, char c)
{
	return *at < end && *(*at)++ == c;
}

static bool
take_kind(const char **at, const char *end, bool *apart)
{
	if (end - *at < KIND_LEN)
		return false;
	*apart = memcmp(*at, kind_apart, KIND_LEN) == 0;
	if (!*apart && memcmp(*at, kind_inline, KIND_LEN) != 0)
		return false;
	*at += KIND_LEN;
	return true;
}

static bool
take_number(const char **at, const char *end, char after, uint64_t *out)
{
	return record_read_number(at, end, out) && take_byte(at, end, after);
}

static bool
take_number32(const char **at, const char *end, uint32_t max, uint32_t *out)
{
	uint64_t n;

	if (!take_number(at, end, ' ', &n) || n > max)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
take_nsec(const char **at, const char *end, uint32_t *out)
{
	uint32_t n = 0;

	if (end - *at < NSEC_DIGITS)
		return false;
	for (int i = 0; i < NSEC_DIGITS; i++) {
		char c = *(*at)++;

		if (c < '0' || c > '9')
			return false;
		n = n * 10 + (uint32_t)(c - '0');
	}
	*out = n;
	return take_byte(at, end, ' ');
}

static bool
take_sum(const char **at, const char *end, uint64_t *out)
{
	uint64_t n = 0;

	if (end - *at < SUM_LEN)
		return false;
	for (int i = 0; i < SUM_LEN; i++) {
		char c = *(*at)++;

		if (c >= '0' && c <= '9')
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = n;
	return take_byte(at, end, '\n');
}

static bool
take_line(const char **at, const char *end, struct record *out)
{
	return take_kind(at, end, &out->apart) &&
	    take_number(at, end, ' ', &out->seq) &&
	    take_number(at, end, '.', &out->sec) &&
	    take_nsec(at, end, &out->nsec) &&
	    take_number32(at, end, UINT32_MAX, &out->uid) &&
	    take_number32(at, end, UINT32_MAX, &out->gid) &&
	    take_number32(at, end, INT32_MAX, &out->pid) &&
	    take_number32(at, end, RECORD_BLOCK_MAX, &out->headers_len) &&
	    take_number(at, end, ' ', &out->body_len) &&
	    out->body_len <= RECORD_BODY_MAX &&
	    (!out->apart || out->body_len > MESS_INLINE_MAX) &&
	    take_sum(at, end, &out->sum);
}

enum mess_err
record_read_line(const char *line, size_t len, struct record *out)
{
	const char *at = line, *end = line + len;
	struct record r;

	if (!take_line(&at, end, &r) || at != end)
		return MESS_BADDATA;
	*out = r;
	return MESS_OK;
}

/* Is the payload, and what surrounds it, what the line says? */
static bool
payload_holds(const char *line, size_t line_len, const struct record *r)
{
	const char *payload = line + line_len;
	uint64_t sum;

	if (payload[r->headers_len] != '\n')
		return false;
	if (r->apart)
		return true;
	sum = XXH3_64bits(payload, r->headers_len + 1 + r->body_len);
	return XXH3_64bits_withSeed(line, line_len - SUM_LEN - 1, sum) == r->sum;
}

enum mess_err
record_read(const char *data, size_t len, struct record *out, size_t *record_len)
{
	const char *at = data, *end = data + len;
	struct record r;
	size_t line_len, whole;
	bool holds, ended;

	if (!take_line(&at, end, &r))
		return len < RECORD_LINE_MAX && memchr(data, '\n', len) == NULL ?
		    MESS_TOOBIG : MESS_BADDATA;
	line_len = (size_t)(at - data);
	if (len - line_len < record_rest_len(&r))
		return MESS_TOOBIG;
	whole = line_len + record_rest_len(&r);

	/* Each proves the lengths; with neither, whole may be anywhere. */
	holds = payload_holds(data, line_len, &r);
	ended = data[whole - 1] == '\n';
	if (!holds && !ended)
		return MESS_BADDATA;
	*out = r;
	*record_len = whole;
	return holds && ended ? MESS_OK : MESS_CORRUPT;
}

/* --- headers --- */

static enum mess_err
refuse(enum mess_err err, const char **why, const char *rule)
{
	if (why != NULL)
		*why = rule;
	return err;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t
header_name_len(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && (is_letter(line[n]) || (line[n] >= '0' && line[n] <= '9') || line[n] == '-'))
		n++;
	return n;
}

static bool
is_engine_header(const char *line, size_t len)
{
	return len >= 5 && strncasecmp(line, "Mess-", 5) == 0;
}

/*
 * Length of the UTF-8 character at s, 0 if there is none or it is a control
 * character.  least also keeps out what is longer than it need be; the least
 * of two bytes is above the C1 controls.
 */
static size_t
text_char_len(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	size_t n = *s < 0xc0 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf8 ? 4 : 0;
	uint32_t c;

	if (*s < 0x80)
		return *s >= ' ' && *s != 0x7f;
	if (n == 0 || n > len)
		return 0;
	c = *s & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff ? 0 : n;
}

static bool
is_text(const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n;

	for (; len > 0; u += n, len -= n)
		if ((n = text_char_len(u, len)) == 0)
			return false;
	return true;
}

enum mess_err
record_header_check(const char *line, size_t len, bool engine, const char **why)
{
	size_t n;

	if (len >= RECORD_HEADERS_MAX)
		return refuse(MESS_TOOBIG, why, "headers are at most 8192 bytes");
	n = header_name_len(line, len);
	if (n == 0 || !is_letter(line[0]))
		return refuse(MESS_BADDATA, why, "a header's name starts with a letter");
	if (n > RECORD_HEADER_NAME_MAX)
		return refuse(MESS_BADDATA, why, "a header's name is at most 64 bytes");
	if (len - n < 2 || line[n] != ':' || line[n + 1] != ' ')
		return refuse(MESS_BADDATA, why,
		    "a header is a name of letters, digits and -, then a colon, a space and a value");
	if (!engine && is_engine_header(line, n))
		return refuse(MESS_BADDATA, why, "names that start with Mess- are the engine's");
	if (!is_text(line + n + 2, len - n - 2))
		return refuse(MESS_BADDATA, why,
		    "a header's value is UTF-8 without control characters");
	return MESS_OK;
}

enum mess_err
record_headers_check(const char *headers, size_t len, bool engine, const char **why)
{
	const char *line = headers, *end = headers + len;
	enum mess_err err;

	if (len > RECORD_HEADERS_MAX)
		return refuse(MESS_TOOBIG, why, "headers are at most 8192 bytes");
	for (unsigned count = 1; line < end; count++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		if (newline == NULL)
			return refuse(MESS_BADDATA, why, "a header ends with a newline");
		if (count > RECORD_HEADERS_COUNT)
			return refuse(MESS_TOOBIG, why, "a message has at most 64 headers");
		if ((err = record_header_check(line, (size_t)(newline - line), engine, why)) != MESS_OK)
			return err;
		line = newline + 1;
	}
	return MESS_OK;
}

size_t
record_headers_strip(char *headers, size_t len)
{
	const char *line = headers, *end = headers + len;
	char *kept = headers;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = newline == NULL ? (size_t)(end - line) : (size_t)(newline + 1 - line);

		if (!is_engine_header(line, n)) {
			memmove(kept, line, n);
			kept += n;
		}
		line += n;
	}
	return (size_t)(kept - headers);
}

bool
record_next_header(const char **headers, size_t *len, struct record_header *out)
{
	const char *nl = *len == 0 ? NULL : memchr(*headers, '\n', *len);
	const char *colon = nl == NULL ? NULL : memchr(*headers, ':', (size_t)(nl - *headers));

	if (colon == NULL || nl - colon < 2)
		return false;
	*out = (struct record_header){ .line = *headers, .name = *headers,
		.name_len = (size_t)(colon - *headers), .value = colon + 2,
		.value_len = (size_t)(nl - colon) - 2, .line_len = (size_t)(nl + 1 - *headers) };
	*headers = nl + 1;
	*len -= out->line_len;
	return true;
}

bool
record_header_is(const struct record_header *h, const char *name)
{
	return h->name_len == strlen(name) && memcmp(h->name, name, h->name_len) == 0;
}
