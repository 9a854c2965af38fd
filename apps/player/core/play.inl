// What a room does with some frames of audio. Included once for every kind of processor, in a namespace of its own, so
// that fdn_loop.h makes vectors as wide as that processor has them.

inline const FDN_SAMPLE* recent(const RoomState& r, int input)
{
    return r.past.data() + std::size_t(input) * 2 * r.pastLength + r.pastLength + r.pastAt;
}

// The inputs, twice each, so that any stretch of them lies in one piece. Frozen, the room hears nothing.
inline void remember(RoomState& r, const double* const* in, int frames)
{
    const double before = r.playing().feed, after = r.coming().feed;
    for (int k = 0; k < r.plan.inputs; ++k) {
        FDN_SAMPLE* const past = r.past.data() + std::size_t(k) * 2 * r.pastLength + r.pastAt;
        for (int t = 0; t < frames; ++t) {
            const double feed = r.fading() ? before + r.faded(t) * (after - before) : before;
            const double x = in[k][t];
            r.untouched = r.untouched && x == 0.0;
            past[t] = past[t + std::ptrdiff_t(r.pastLength)] = static_cast<FDN_SAMPLE>(fdn_quiet(x * feed));
        }
    }
}

// Rows of direct sound and early part.
inline void hearTaps(RoomState& r, double (*rows)[mostChannels + 1][FDN_FRAMES], int frames)
{
    for (const TapGroup& group : r.plan.groups) {
        const FDN_SAMPLE* const x = recent(r, group.input);
        double* const row = rows[group.direct ? 0 : 1][group.row];
        for (int v = 0; v < (r.fading() ? 2 : 1); ++v) {
            const Design& design = v == 0 ? r.playing() : r.coming();
            double heard[FDN_FRAMES] = {};
            fdn_taps(x, design.tapDelays.data() + group.first, r.plan.tapGains.data() + group.first, group.count,
                     frames, heard);
            for (int t = 0; t < frames; ++t) {
                const double share = r.fading() ? r.faded(t) : 0.0;
                row[t] += (v == 0 ? 1.0 - share : share) * heard[t];
            }
        }
    }
}

FDN_INLINE void readLines(const RoomState& r, const Design& design, int width, int frames, double* heard)
{
    for (int i = 0; i < r.plan.lines; ++i) {
        const std::size_t line = std::size_t(i);
        fdn_read(r.lines.data() + r.offsets[line], r.plan.longestLine[line], r.at[line], design.delays[line], frames,
                 width, heard + i);
    }
    for (int i = r.plan.lines; i < width; ++i)
        for (int t = 0; t < frames; ++t)
            heard[t * width + i] = 0.0;
}

// Fades from what was read at one delay to what is read at the other.
inline void readBoth(const RoomState& r, int width, int first, int frames, double* heard)
{
    double other[FDN_FRAMES * mostLines];
    readLines(r, r.coming(), width, frames, other);
    for (int i = 0; i < r.plan.lines; ++i)
        for (int t = 0; t < frames; ++t)
            heard[t * width + i] = (1.0 - r.faded(first + t)) * heard[t * width + i] +
                                   r.faded(first + t - r.pauses[std::size_t(i)]) * other[t * width + i];
}

FDN_INLINE void absorb(const RoomState& r, Voice& voice, int width, double* x)
{
    fdn_filter_lines(voice.design.sos.data(), r.plan.sections(), width, voice.state.data(), x);
    for (int i = 0; i < width; ++i)
        x[i] *= voice.design.gains[std::size_t(i)];
}

// The lines for as many frames as the shortest of them lasts; late[output][frame] is what is heard of them.
template <bool fading> FDN_INLINE void pass(RoomState& r, int width, double (*late)[FDN_FRAMES], int first, int frames)
{
    double heard[FDN_FRAMES * mostLines];
    readLines(r, r.playing(), width, frames, heard);
    if constexpr (fading)
        readBoth(r, width, first, frames, heard);
    for (int t = 0; t < frames; ++t) {
        double* const row = heard + t * width;
        double fed[mostLines] = {}, out[lanes] = {}, x[mostChannels];
        for (int o = 0; o < r.plan.outputs; ++o)
            out[o] = fdn_inner(r.plan.outputGains.data() + o * width, row, width);
        fdn_filter_lines(r.plan.tone.data(), r.plan.tones(), lanes, r.tone.data(), out);
        for (int o = 0; o < r.plan.outputs; ++o)
            late[o][first + t] = out[o];
        for (int k = 0; k < r.plan.inputs; ++k)
            x[k] = recent(r, k)[first + t - r.playing().late];
        if constexpr (fading) {
            const double share = r.faded(first + t);
            double other[mostLines];
            std::copy(row, row + width, other);
            absorb(r, r.voices[1 - r.now], width, other);
            absorb(r, r.voices[r.now], width, row);
            for (int i = 0; i < width; ++i)
                row[i] = (1.0 - share) * row[i] + share * other[i];
            for (int k = 0; k < r.plan.inputs; ++k)
                x[k] = (1.0 - share) * x[k] + share * double(recent(r, k)[first + t - r.coming().late]);
        } else {
            absorb(r, r.voices[r.now], width, row);
        }
        fdn_mix(r.plan.feedback.data(), row, r.plan.lines, width, fed);
        fdn_mix(r.plan.inputGains.data(), x, r.plan.inputs, width, fed);
        std::copy(fed, fed + width, row);
    }
    for (int i = 0; i < r.plan.lines; ++i) {
        const std::size_t line = std::size_t(i);
        r.at[line] =
            fdn_write(r.lines.data() + r.offsets[line], r.plan.longestLine[line], r.at[line], frames, width, heard + i);
    }
}

template <bool fading> FDN_INLINE void recirculate(RoomState& r, int width, double (*late)[FDN_FRAMES], int frames)
{
    const int shortest = fading ? std::min(r.playing().shortest, r.coming().shortest) : r.playing().shortest;
    for (int done = 0; done < frames; done += shortest)
        pass<fading>(r, width, late, done, std::min(frames - done, shortest));
}

inline void play(RoomState& r, const double* const* in, double* const* out, const double* direct, const double* early,
                 int frames)
{
    remember(r, in, frames);
    double late[mostChannels][FDN_FRAMES];
    if (r.fading())
        recirculate<true>(r, r.plan.width, late, frames);
    else if (r.plan.width == 16) // the usual widths as constants, for the compiler's sake
        recirculate<false>(r, 16, late, frames);
    else if (r.plan.width == 8)
        recirculate<false>(r, 8, late, frames);
    else
        recirculate<false>(r, r.plan.width, late, frames);
    double rows[2][mostChannels + 1][FDN_FRAMES] = {}; // direct sound, early part
    hearTaps(r, rows, frames);
    const int both = r.plan.outputs; // the row that all outputs have
    for (int t = 0; t < frames; ++t) {
        double y[lanes] = {};
        for (int o = 0; o < r.plan.outputs; ++o)
            y[o] = late[o][t] + direct[t] * (rows[0][o][t] + rows[0][both][t]) +
                   early[t] * (rows[1][o][t] + rows[1][both][t]);
        fdn_filter_lines(r.plan.low.data(), r.plan.lows(), lanes, r.low.data(), y);
        for (int o = 0; o < r.plan.outputs; ++o)
            out[o][t] = y[o];
    }
}
