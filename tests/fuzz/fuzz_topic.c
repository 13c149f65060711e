/* SPDX-License-Identifier: ISC */
/*
 * A topic's file, with its lists of who may, from any bytes.  Oracle: what
 * was read is written, read and written again, and is the same.
 */
#include "conf_topic.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* The lists of a request, too: those are checked by the same reader. */
static void
check_list(const char *text, size_t len)
{
	AUTO_BUF struct buf first = BUF_INIT(CONF_TOPIC_MAX), again = BUF_INIT(CONF_TOPIC_MAX);
	struct who_list list = { 0 }, second = { 0 };
	char why[WHO_WHY];

	if (who_read_list(text, len, &who_any_names, &list, why) != MESS_OK)
		return;
	require(who_list_write(&list, &first) == MESS_OK);
	require(who_read_list(buf_data(&first), buf_len(&first), &who_any_names, &second, why) == MESS_OK);
	require(list.count == second.count && who_list_write(&second, &again) == MESS_OK);
	require(buf_len(&first) == buf_len(&again) &&
	    memcmp(buf_data(&first), buf_data(&again), buf_len(&first)) == 0);
	who_list_free(&list);
	who_list_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf first = BUF_INIT(2 * CONF_TOPIC_MAX), again = BUF_INIT(2 * CONF_TOPIC_MAX);
	struct conf_topic topic = { 0 }, second = { 0 };

	check_list((const char *)data, size);
	if (conf_read_topic((const char *)data, size, &topic) != MESS_OK)
		return 0;
	require(conf_write_topic(&topic, &first) == MESS_OK);
	require(conf_read_topic(buf_data(&first), buf_len(&first), &second) == MESS_OK);
	require(conf_write_topic(&second, &again) == MESS_OK);
	require(buf_len(&first) == buf_len(&again) &&
	    memcmp(buf_data(&first), buf_data(&again), buf_len(&first)) == 0);
	conf_topic_free(&topic);
	conf_topic_free(&second);
	return 0;
}
