/* Which kernels take the time: loaded with LD_PRELOAD into a program that is linked with libcuda and libcublas, waits for
 * the device after each call, and prints the sums when the program ends. Waiting hides what the host does meanwhile, so
 * the sum is no step time; FROSTLINE_PROFILE_SKIP calls at the start are left out.
 *
 *     gcc -shared -fPIC -O2 profile.c -o profile.so -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 4096 };
static struct { void *function; char name[96]; long calls; double seconds; } rows[MOST];
static int used;
static long seen, skipped;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int row_of(void *function, const char *name) {
    for (int i = 0; i < used; i++)
        if (rows[i].function == function && (function || !strcmp(rows[i].name, name))) return i;
    if (used == MOST) return 0;
    rows[used].function = function;
    snprintf(rows[used].name, sizeof rows[used].name, "%s", name ? name : "?");
    return used++;
}

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void count(void *function, const char *name, double began) {
    static int (*wait)(void);
    if (!wait) wait = (int (*)(void))real("cuCtxSynchronize");
    wait();
    double seconds = now() - began;
    pthread_mutex_lock(&lock);
    if (++seen > skipped) {
        int i = row_of(function, name);
        rows[i].calls++;
        rows[i].seconds += seconds;
    }
    pthread_mutex_unlock(&lock);
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
    static int (*f)(void **, void *, const char *);
    if (!f) f = real("cuModuleGetFunction");
    int code = f(function, module, name);
    pthread_mutex_lock(&lock);
    if (!code) row_of(*function, name);
    pthread_mutex_unlock(&lock);
    return code;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
    static int (*f)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
    if (!f) f = real("cuLaunchKernel");
    double began = now();
    int code = f(function, gx, gy, gz, bx, by, bz, shared, stream, arguments, extra);
    count(function, NULL, began);
    return code;
}

#define TIMED(NAME, PARAMETERS, ...)                 \
    int NAME PARAMETERS {                            \
        static int (*f) PARAMETERS;                  \
        if (!f) f = real(#NAME);                     \
        double began = now();                        \
        int code = f(__VA_ARGS__);                   \
        count(NULL, #NAME, began);                   \
        return code;                                 \
    }

typedef unsigned long long pointer;
TIMED(cuModuleLoadData, (void **module, const void *image), module, image)
TIMED(cuMemAllocAsync, (pointer *p, size_t n, void *stream), p, n, stream)
TIMED(cuMemFreeAsync, (pointer p, void *stream), p, stream)
TIMED(cuMemsetD8Async, (pointer p, unsigned char value, size_t n, void *stream), p, value, n, stream)
TIMED(cuMemcpyHtoDAsync_v2, (pointer to, const void *from, size_t n, void *stream), to, from, n, stream)
TIMED(cuMemcpyDtoHAsync_v2, (void *to, pointer from, size_t n, void *stream), to, from, n, stream)
TIMED(cuMemcpyDtoDAsync_v2, (pointer to, pointer from, size_t n, void *stream), to, from, n, stream)
TIMED(cublasGemmStridedBatchedEx,
      (void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int at, int lda, long long sa,
       const void *b, int bt, int ldb, long long sb, const void *beta, void *c, int ct, int ldc, long long sc, int batch,
       int compute, int algorithm),
      handle, ta, tb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb, sb, beta, c, ct, ldc, sc, batch, compute, algorithm)

static int by_time(const void *a, const void *b) {
    double x = rows[*(const int *)a].seconds, y = rows[*(const int *)b].seconds;
    return (x < y) - (x > y);
}

__attribute__((constructor)) static void begin(void) {
    const char *skip = getenv("FROSTLINE_PROFILE_SKIP");
    skipped = skip ? atol(skip) : 0;
}

__attribute__((destructor)) static void end(void) {
    static int order[MOST];
    double total = 0;
    for (int i = 0; i < used; i++) {
        order[i] = i;
        total += rows[i].seconds;
    }
    if (!seen) return;
    qsort(order, used, sizeof *order, by_time);
    fprintf(stderr, "%ld calls, %ld left out, %.1f ms in the others\n", seen, skipped < seen ? skipped : seen, total * 1e3);
    for (int i = 0; i < used && i < 24; i++)
        if (rows[order[i]].calls)
            fprintf(stderr, "%9.2f ms %8ld x %s\n", rows[order[i]].seconds * 1e3, rows[order[i]].calls, rows[order[i]].name);
}
