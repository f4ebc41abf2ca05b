/*
 * The entries of glibc that Debian's libconfuse.a and libsodium.a call and musl hasn't got: those
 * that check buffers. With them the libraries link against musl, which has the rest by the same
 * names. For the test of the client's build.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args);
int __snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...);
void __explicit_bzero_chk(void *out, size_t len, size_t room);

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args)
{
    (void)flag;
    return vfprintf(file, format, args);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list args;
    (void)flag;
    va_start(args, format);
    int len = vfprintf(file, format, args);
    va_end(args);
    return len;
}

int __snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...)
{
    va_list args;
    (void)flag;
    (void)room;
    va_start(args, format);
    int len = vsnprintf(out, size, format, args);
    va_end(args);
    return len;
}

void __explicit_bzero_chk(void *out, size_t len, size_t room)
{
    (void)room;
    explicit_bzero(out, len);
}
