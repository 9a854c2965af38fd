/* The arithmetic of a feedback delay network. C99, and C++ as well. No memory is allocated.
   Lines, and outputs too, stand side by side in arrays of WIDTH entries (their number, rounded up to a multiple of 4; the
   rest zero), four of which are a vector. Delay lines and early taps take some frames at once, filters and the matrix
   one after the other. Filters and sums are double; what is stored in delay lines, and the
   products of early taps, are FDN_SAMPLE. */
#ifndef FDN_LOOP_H
#define FDN_LOOP_H

#ifndef FDN_SAMPLE
#define FDN_SAMPLE float /* audio in, audio out and delay lines; define as double before for the last bit */
#endif

#if defined(__GNUC__) || defined(_MSC_VER)
#define FDN_RESTRICT __restrict
#elif defined(__cplusplus)
#define FDN_RESTRICT
#else
#define FDN_RESTRICT restrict
#endif

#if defined(__GNUC__)
#define FDN_INLINE static inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define FDN_INLINE static __forceinline
#else
#define FDN_INLINE static inline
#endif

/* Smaller magnitudes are silence: numbers never get small enough to be denormal, and so slow. */
#define FDN_SILENCE 1e-30
/* Frames that are taken at once where time does not feed back. */
#define FDN_FRAMES 16
/* How often filter states are searched for such numbers, in samples. */
#define FDN_SWEEP 256

/* What a line of `length` samples, written at `at`, took in `delay` samples ago, for as many frames as have been written
   by now: frames <= delay <= length. Frame t goes to x[t * stride]. */
FDN_INLINE void fdn_read(const FDN_SAMPLE *FDN_RESTRICT line, int length, int at, int delay, int frames, int stride,
                         double *FDN_RESTRICT x)
{
    const int from = at >= delay ? at - delay : at - delay + length;
    const int first = length - from < frames ? length - from : frames;
    for (int t = 0; t < first; ++t)
        x[t * stride] = (double)line[from + t];
    for (int t = first; t < frames; ++t)
        x[t * stride] = (double)line[t - first];
}

/* A number as it is stored: silence is stored as zero. */
FDN_INLINE double fdn_quiet(double x)
{
    return (x < FDN_SILENCE) & (x > -FDN_SILENCE) ? 0.0 : x;
}

/* The other way round: frames of x go into the line. Returns where it is written next. */
FDN_INLINE int fdn_write(FDN_SAMPLE *FDN_RESTRICT line, int length, int at, int frames, int stride,
                         const double *FDN_RESTRICT x)
{
    const int first = length - at < frames ? length - at : frames;
    for (int t = 0; t < first; ++t)
        line[at + t] = (FDN_SAMPLE)fdn_quiet(x[t * stride]);
    for (int t = first; t < frames; ++t)
        line[t - first] = (FDN_SAMPLE)fdn_quiet(x[t * stride]);
    return first < frames ? frames - first : at + first == length ? 0 : at + first;
}

/* Lines side by side: a vector as wide as the processor's, where the compiler knows such a type. */
#if defined(__GNUC__)
#if !defined(FDN_LANES) && defined(__AVX__)
#define FDN_LANES 4
#elif !defined(FDN_LANES)
#define FDN_LANES 2
#endif
typedef double fdn_vector __attribute__((vector_size(8 * FDN_LANES), aligned(8), may_alias));
#define FDN_AT(p) (*(fdn_vector *)(p))
#define FDN_CONST_AT(p) (*(const fdn_vector *)(p))
#endif

/* sum[i] += matrix[j][i] * x[j]: a column for every source j. */
FDN_INLINE void fdn_mix(const double *FDN_RESTRICT matrix, const double *FDN_RESTRICT x, int sources, int width,
                        double *FDN_RESTRICT sum)
{
    int i = 0;
#if defined(__GNUC__)
    for (; i + 4 * FDN_LANES <= width; i += 4 * FDN_LANES) { /* sums at once: one would wait for its own additions */
        fdn_vector s0 = FDN_AT(sum + i), s1 = FDN_AT(sum + i + FDN_LANES);
        fdn_vector s2 = FDN_AT(sum + i + 2 * FDN_LANES), s3 = FDN_AT(sum + i + 3 * FDN_LANES);
        for (int j = 0; j < sources; ++j) {
            const double *FDN_RESTRICT column = matrix + j * width + i;
            s0 += FDN_CONST_AT(column) * x[j];
            s1 += FDN_CONST_AT(column + FDN_LANES) * x[j];
            s2 += FDN_CONST_AT(column + 2 * FDN_LANES) * x[j];
            s3 += FDN_CONST_AT(column + 3 * FDN_LANES) * x[j];
        }
        FDN_AT(sum + i) = s0;
        FDN_AT(sum + i + FDN_LANES) = s1;
        FDN_AT(sum + i + 2 * FDN_LANES) = s2;
        FDN_AT(sum + i + 3 * FDN_LANES) = s3;
    }
    for (; i < width; i += FDN_LANES) {
        fdn_vector s = FDN_AT(sum + i);
        for (int j = 0; j < sources; ++j)
            s += FDN_CONST_AT(matrix + j * width + i) * x[j];
        FDN_AT(sum + i) = s;
    }
#else
    for (; i < width; ++i)
        for (int j = 0; j < sources; ++j)
            sum[i] += matrix[j * width + i] * x[j];
#endif
}

/* sum of gains[i] * x[i] over all lines, in four partial sums. */
FDN_INLINE double fdn_inner(const double *FDN_RESTRICT gains, const double *FDN_RESTRICT x, int width)
{
    double s[4] = {0.0, 0.0, 0.0, 0.0};
    for (int i = 0; i < width; i += 4) {
#if defined(__GNUC__)
        for (int lane = 0; lane < 4; lane += FDN_LANES)
            FDN_AT(s + lane) += FDN_CONST_AT(gains + i + lane) * FDN_CONST_AT(x + i + lane);
#else
        for (int lane = 0; lane < 4; ++lane)
            s[lane] += gains[i + lane] * x[i + lane];
#endif
    }
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Second-order sections, transposed direct form II, a filter of its own for every line:
   sos[section][b0 b1 b2 a1 a2][line], state[section][2][line]. */
FDN_INLINE void fdn_filter_lines(const double *FDN_RESTRICT sos, int sections, int width, double *FDN_RESTRICT state,
                                 double *FDN_RESTRICT x)
{
    for (int s = 0; s < sections; ++s) {
        const double *FDN_RESTRICT b0 = sos + 5 * s * width, *FDN_RESTRICT b1 = b0 + width;
        const double *FDN_RESTRICT b2 = b1 + width, *FDN_RESTRICT a1 = b2 + width, *FDN_RESTRICT a2 = a1 + width;
        double *FDN_RESTRICT z1 = state + 2 * s * width, *FDN_RESTRICT z2 = z1 + width;
#if defined(__GNUC__)
        for (int i = 0; i < width; i += FDN_LANES) {
            const fdn_vector in = FDN_AT(x + i);
            const fdn_vector out = FDN_CONST_AT(b0 + i) * in + FDN_AT(z1 + i);
            FDN_AT(z1 + i) = FDN_CONST_AT(b1 + i) * in - FDN_CONST_AT(a1 + i) * out + FDN_AT(z2 + i);
            FDN_AT(z2 + i) = FDN_CONST_AT(b2 + i) * in - FDN_CONST_AT(a2 + i) * out;
            FDN_AT(x + i) = out;
        }
#else
        for (int i = 0; i < width; ++i) {
            const double in = x[i];
            const double out = b0[i] * in + z1[i];
            z1[i] = b1[i] * in - a1[i] * out + z2[i];
            z2[i] = b2[i] * in - a2[i] * out;
            x[i] = out;
        }
#endif
    }
}

/* Single taps of one path for some frames at once: y[t] += sum of gains[p] * now[t - delays[p]]. Four taps a pass, in the
   precision of the samples, which makes vectors twice as long where they are float; passes add up in double. As many
   frames as vectors like where there are as many. */
FDN_INLINE void fdn_taps(const FDN_SAMPLE *FDN_RESTRICT now, const int *FDN_RESTRICT delays,
                         const double *FDN_RESTRICT gains, int taps, int frames, double *FDN_RESTRICT y)
{
    int p = 0;
    for (; p + 4 <= taps; p += 4) {
        const FDN_SAMPLE *FDN_RESTRICT x0 = now - delays[p], *FDN_RESTRICT x1 = now - delays[p + 1];
        const FDN_SAMPLE *FDN_RESTRICT x2 = now - delays[p + 2], *FDN_RESTRICT x3 = now - delays[p + 3];
        const FDN_SAMPLE g0 = (FDN_SAMPLE)gains[p], g1 = (FDN_SAMPLE)gains[p + 1];
        const FDN_SAMPLE g2 = (FDN_SAMPLE)gains[p + 2], g3 = (FDN_SAMPLE)gains[p + 3];
        if (frames == FDN_FRAMES)
            for (int t = 0; t < FDN_FRAMES; ++t)
                y[t] += (double)((g0 * x0[t] + g1 * x1[t]) + (g2 * x2[t] + g3 * x3[t]));
        else
            for (int t = 0; t < frames; ++t)
                y[t] += (double)((g0 * x0[t] + g1 * x1[t]) + (g2 * x2[t] + g3 * x3[t]));
    }
    for (; p < taps; ++p)
        for (int t = 0; t < frames; ++t)
            y[t] += gains[p] * (double)(now - delays[p])[t];
}

/* Silence in a whole state. */
FDN_INLINE void fdn_sweep(double *state, int count)
{
    for (int i = 0; i < count; ++i)
        state[i] = fdn_quiet(state[i]);
}

#endif
