/* SPDX-License-Identifier: ISC */
/*
 * JSON as it is written: every byte comes out as a string that any reader takes.
 */
#include "test.h"

#include "../../bin/json-write.h"

#define LIT(s) (s), sizeof(s) - 1

static bool
writes(const char *data, size_t len, const char *want)
{
	struct buf b = BUF_INIT(4096);
	char *copy = test_copy(data, len);
	bool same = json_put_string(&b, copy, len) == MESS_OK && buf_len(&b) == strlen(want) &&
	    memcmp(buf_data(&b), want, strlen(want)) == 0;

	buf_free(&b);
	free(copy);
	return same;
}

static bool
encodes(const char *data, size_t len, const char *want)
{
	struct buf b = BUF_INIT(4096);
	bool same = json_put_base64(&b, data, len) == MESS_OK && buf_len(&b) == strlen(want) &&
	    (len == 0 || memcmp(buf_data(&b), want, strlen(want)) == 0);

	buf_free(&b);
	return same;
}

TEST("plain text is as it is")
{
	CHECK(writes(LIT(""), "\"\""));
	CHECK(writes(LIT("a/b 'c' <&>"), "\"a/b 'c' <&>\""));
	CHECK(writes(LIT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f"),
	    "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f\""));
}

TEST("what JSON and terminals would act on is escaped")
{
	CHECK(writes(LIT("\"\\\n\r\t"), "\"\\\"\\\\\\n\\r\\t\""));
	CHECK(writes("\0\x1b\x7f", 3, "\"\\u0000\\u001b\\u007f\""));
	CHECK(writes(LIT("\xc2\x9b"), "\"\\u009b\""));
	CHECK(writes(LIT("\xc2\xa0"), "\"\xc2\xa0\""));
}

TEST("what is no UTF-8 becomes U+FFFD, a byte each")
{
	CHECK(writes(LIT("a\xff" "b"), "\"a\xef\xbf\xbd" "b\""));
	CHECK(writes(LIT("\xc3"), "\"\xef\xbf\xbd\""));
	CHECK(writes(LIT("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""));
}

TEST("text is UTF-8 and nothing else")
{
	CHECK(json_is_text(LIT("")));
	CHECK(json_is_text("\0", 1));
	CHECK(json_is_text(LIT("\xf4\x8f\xbf\xbf")));
	CHECK(!json_is_text(LIT("\xf4\x90\x80\x80")));	/* above U+10FFFF */
	CHECK(!json_is_text(LIT("\xc0\x80")));		/* longer than need be */
	CHECK(!json_is_text(LIT("\xe0\x9f\xbf")));
	CHECK(!json_is_text(LIT("\xed\xa0\x80")));	/* a surrogate */
	CHECK(!json_is_text(LIT("\x80")));
	CHECK(!json_is_text(LIT("\xf8\x88\x80\x80\x80")));
	CHECK(!json_is_text(LIT("ab\xc3")));
}

TEST("base64 of RFC 4648")
{
	CHECK(encodes(LIT(""), ""));
	CHECK(encodes(LIT("f"), "Zg=="));
	CHECK(encodes(LIT("fo"), "Zm8="));
	CHECK(encodes(LIT("foo"), "Zm9v"));
	CHECK(encodes(LIT("foobar"), "Zm9vYmFy"));
	CHECK(encodes("\0\xff\xfe", 3, "AP/+"));
}

TEST("a buffer that is too small is an error, and nothing is written")
{
	struct buf b = BUF_INIT(16);

	CHECK(json_put_string(&b, LIT("0123456789")) == MESS_TOOBIG);
	CHECK(json_put_base64(&b, LIT("0123456789012345")) == MESS_TOOBIG);
	CHECK(buf_len(&b) == 0);
	buf_free(&b);
}
