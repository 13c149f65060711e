/* SPDX-License-Identifier: ISC */
/*
 * The disk that remembers, as a FUSE file below a loop device.
 *
 * One thread answers one request after the other, so the log's order is the
 * disk's: a loop device has no FUA and a write-back cache, hence every
 * barrier of the file system arrives as an fsync, after the writes that it
 * is for were answered.  direct_io: else the page cache would split, join
 * and delay what the file system wrote.
 */
#define FUSE_USE_VERSION 35
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define INO_DISK 2
#define INO_MARK 3
#define REQUEST_MAX (1024 * 1024)

static struct {
	char *bytes;
	size_t size;
	int log, ready;
} disk;

/* A log with a hole in it would prove nothing. */
static void
append(enum disk_kind kind, const void *data, size_t len, uint64_t off)
{
	struct disk_entry e = { .kind = kind, .len = (uint32_t)len, .off = off };
	struct iovec io[2] = { { &e, sizeof e }, { (void *)(uintptr_t)data, len } };

	if (writev(disk.log, io, 2) != (ssize_t)(sizeof e + len)) {
		perror("crash: the log");
		_exit(74);
	}
}

static void
describe(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){ .st_ino = ino, .st_nlink = 1, .st_mode = S_IFREG | 0600,
		.st_blksize = 4096, .st_size = ino == INO_DISK ? (off_t)disk.size : 0 };
	if (ino == FUSE_ROOT_ID)
		st->st_mode = S_IFDIR | 0700;
}

static void
on_init(void *arg, struct fuse_conn_info *conn)
{
	(void)arg;
	conn->max_write = REQUEST_MAX;
	if (write(disk.ready, "", 1) != 1)
		_exit(74);
}

static void
on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .attr_timeout = 3600, .entry_timeout = 3600 };

	(void)parent;
	e.ino = strcmp(name, "disk") == 0 ? INO_DISK : strcmp(name, "mark") == 0 ? INO_MARK : 0;
	if (e.ino == 0) {
		(void)fuse_reply_err(req, ENOENT); /* a caller that left is no matter, here and below */
		return;
	}
	describe(e.ino, &e.attr);
	(void)fuse_reply_entry(req, &e);
}

static void
on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	struct stat st;

	(void)file;
	describe(ino, &st);
	(void)fuse_reply_attr(req, &st, 3600);
}

static void
on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file)
{
	(void)ino;
	file->direct_io = 1;
	(void)fuse_reply_open(req, file);
}

static void
on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *file)
{
	size_t left = ino == INO_DISK && (size_t)off < disk.size ? disk.size - (size_t)off : 0;

	(void)file;
	(void)fuse_reply_buf(req, disk.bytes + off, size < left ? size : left);
}

static void
on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
    struct fuse_file_info *file)
{
	(void)file;
	if (ino == INO_MARK)
		append(DISK_MARK, data, size, 0);
	else if ((size_t)off > disk.size || size > disk.size - (size_t)off) {
		(void)fuse_reply_err(req, ENOSPC);
		return;
	} else {
		memcpy(disk.bytes + off, data, size);
		append(DISK_WRITE, data, size, (uint64_t)off);
	}
	(void)fuse_reply_write(req, size);
}

static void
on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *file)
{
	(void)datasync;
	(void)file;
	if (ino == INO_DISK)
		append(DISK_FLUSH, NULL, 0, 0);
	(void)fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = on_init, .lookup = on_lookup, .getattr = on_getattr, .open = on_open,
	.read = on_read, .write = on_write, .fsync = on_fsync,
};

static int
load(const char *image, const char *log)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return -1;
	disk.size = (size_t)st.st_size;
	disk.bytes = mmap(NULL, disk.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	(void)close(fd);
	if (disk.bytes == MAP_FAILED)
		return -1;
	disk.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return disk.log;
}

int
disk_serve(const char *image, const char *log, const char *at, int ready)
{
	char *argv[] = { (char *)(uintptr_t)"crash", (char *)(uintptr_t)"-o",
		(char *)(uintptr_t)"fsname=crash", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *se;
	int status = 71;

	disk.ready = ready;
	if (load(image, log) == -1) {
		perror("crash: the disk");
		return 74;
	}
	/* Memory that it waits for must not be written back through itself. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	(void)mlockall(MCL_CURRENT | MCL_FUTURE); /* best effort, as the line above */
	if ((se = fuse_session_new(&args, &ops, sizeof ops, NULL)) == NULL)
		return status;
	if (fuse_session_mount(se, at) == 0) {
		status = fuse_session_loop(se) == 0 ? 0 : 71;
		fuse_session_unmount(se);
	}
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return status;
}

int
disk_loop(int file, char *path)
{
	struct loop_config config = { .fd = (uint32_t)file,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR } };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop = -1;

	/* Another may take the free one between the two calls. */
	for (int i = 0; control != -1 && loop == -1 && i < 100; i++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		(void)snprintf(path, 32, "/dev/loop%d", n); /* fits */
		if (n == -1 || (loop = open(path, O_RDWR | O_CLOEXEC)) == -1)
			break;
		if (ioctl(loop, LOOP_CONFIGURE, &config) == -1) {
			(void)close(loop);
			loop = -1;
			if (errno != EBUSY)
				break;
		}
	}
	if (control != -1)
		(void)close(control);
	return loop;
}
