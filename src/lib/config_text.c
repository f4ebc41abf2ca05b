#include "lib/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crypto.h"

/* Makes room for `more` members of `member` bytes behind the first `count`. Not by realloc, which
 * would leave a secret behind where the array stood. */
static bool grow(void **array, size_t *size, size_t count, size_t more, size_t member)
{
    if (count + more <= *size)
        return true;
    size_t wanted = *size ? *size * 2 : 256;
    while (wanted < count + more)
        wanted *= 2;
    void *larger = malloc(wanted * member);
    if (!larger)
        return false;
    if (*array) {
        memcpy(larger, *array, count * member);
        crypto_wipe(*array, count * member);
        free(*array);
    }
    *array = larger;
    *size = wanted;
    return true;
}

bool config_text_put(struct config_text_out *out, const char *bytes, size_t len)
{
    void *text = out->text;
    if (!grow(&text, &out->size, out->len, len + 1, 1))
        return false;
    out->text = text;
    memcpy(out->text + out->len, bytes, len);
    out->len += len;
    out->text[out->len] = '\0';
    return true;
}

bool config_text_newline(struct config_text_out *out, struct config_pos next)
{
    void *lines = out->lines;
    if (!grow(&lines, &out->line_size, out->line_count, 1, sizeof(*out->lines)))
        return false;
    out->lines = lines;
    /* The first call only tells where the text begins. */
    if (out->line_count > 0 && !config_text_put(out, "\n", 1))
        return false;
    out->lines[out->line_count++] = next;
    return true;
}

struct config_pos config_text_pos(const struct config_text_out *out, int line)
{
    if (out->line_count == 0)
        return (struct config_pos){out->file_count ? out->files[0] : "", 0};
    size_t index = line < 1 ? 0 : (size_t)line - 1;
    return out->lines[index < out->line_count ? index : out->line_count - 1];
}

void config_text_free(struct config_text_out *out)
{
    if (out->text)
        crypto_wipe(out->text, out->size);
    free(out->text);
    free(out->lines);
    out->text = NULL;
    out->lines = NULL;
    out->len = out->size = out->line_count = out->line_size = 0;
}

/* Reads to the end, however long fstat said that the file is: it may be growing. */
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
