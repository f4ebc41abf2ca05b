/* Reads a file whole, whatever is done to it meanwhile. */
#include "lib/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crypto.h"

/* Reads to the end, however long the file was for fstat: it may be growing. */
static bool read_all(int fd, struct config_file *out, const char **why)
{
    char *data = malloc(CONFIG_FILE_SIZE_MAX + 1);
    size_t len = 0;
    ssize_t got = 1;
    while (data && got != 0 && len <= CONFIG_FILE_SIZE_MAX) {
        got = read(fd, data + len, CONFIG_FILE_SIZE_MAX + 1 - len);
        if (got > 0)
            len += (size_t)got;
        else if (got < 0 && errno != EINTR)
            break;
    }
    if (!data || got < 0)
        *why = strerror(errno);
    out->data = data;
    out->len = len;
    return data && got >= 0;
}

static bool read_open(int fd, struct config_file *out, const char **why)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        *why = strerror(errno);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        *why = "it is not a regular file";
        return false;
    }
    out->device = (unsigned long)st.st_dev;
    out->inode = (unsigned long)st.st_ino;
    out->mode = st.st_mode & 07777;
    out->owner = st.st_uid;
    if (!read_all(fd, out, why))
        return false;
    if (out->len > CONFIG_FILE_SIZE_MAX)
        *why = "it is larger than 1 MiB";
    return out->len <= CONFIG_FILE_SIZE_MAX;
}

bool config_file_read(const char *path, struct config_file *out, const char **why)
{
    *out = (struct config_file){0};
    /* Without O_NONBLOCK a FIFO would wait here for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *why = strerror(errno);
        return false;
    }
    bool read = read_open(fd, out, why);
    close(fd);
    if (!read)
        config_file_free(out);
    return read;
}

void config_file_free(struct config_file *file)
{
    if (file->data)
        crypto_wipe(file->data, file->len);
    free(file->data);
    file->data = NULL;
}
