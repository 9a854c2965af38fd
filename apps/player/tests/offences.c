/* Linked into a host: counts calls for memory and for locks while audio_thread(1) is in force in the calling thread. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static __thread int inside;
static int offences;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void judge(void)
{
    if (inside)
        __atomic_add_fetch(&offences, 1, __ATOMIC_RELAXED);
}

void audio_thread(int now)
{
    inside = now;
}

int audio_thread_offences(void)
{
    return offences;
}

void *malloc(size_t size)
{
    judge();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    judge();
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    judge();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    judge();
    return __libc_memalign(alignment, size);
}

void free(void *old)
{
    if (old)
        judge();
    __libc_free(old);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*real)(pthread_mutex_t *);
    judge();
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    return real(mutex);
}
