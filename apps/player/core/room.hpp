// A running fit. Making one takes memory and time; playing it does neither: settings are designed anew in small parts
// between samples, and what was designed is faded in over the same delay lines, so that the tail lives on.
//
// No sequence of settings adds energy to the lines. While a line goes from a delay to another it is read at both, with
// weights 1 - c(n) and c(n - d), d being what it grows by: a longer line begins with a pause, since what lies further
// back has been read before. The weights of one moment and the weights of one sample both add up to 1 at most, so
// reading shrinks a signal (Schur's test), the filters shrink it, and the matrix turns it.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "fdn_loop.h"

#include "plan.hpp"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FDNLEARN_WIDE __attribute__((target("avx2")))
#define FDNLEARN_HAS_WIDE __builtin_cpu_supports("avx2")
#else
#define FDNLEARN_WIDE
#define FDNLEARN_HAS_WIDE false
#endif

#if defined(__GNUC__)
#define FDNLEARN_INLINE inline __attribute__((always_inline))
#else
#define FDNLEARN_INLINE inline
#endif

namespace fdnlearn {

// Samples between two parts of a design: one line's filters take about a hundredth of that time.
constexpr int designEvery = 64;
constexpr double fadeSeconds = 0.03;

// A raised cosine from 0 to 1.
inline std::vector<double> fadeCurve(double rate)
{
    std::vector<double> curve(std::size_t(std::max(1.0, std::ceil(fadeSeconds * rate / FDN_FRAMES))) * FDN_FRAMES);
    for (std::size_t t = 0; t < curve.size(); ++t)
        curve[t] = 0.5 - 0.5 * std::cos(pi * (double(t) + 0.5) / double(curve.size()));
    return curve;
}

class Room {
public:
    Room(const Fit& fit, double rate, const Setting& setting)
        : plan_(fit, rate), designs_{Voice(plan_), Voice(plan_)}, fade_(fadeCurve(rate)),
          at_(std::size_t(plan_.lines)),
          pauses_(std::size_t(plan_.lines)), wide_(FDNLEARN_HAS_WIDE)
    {
        std::size_t total = 0;
        for (const int length : plan_.longestLine) {
            offsets_.push_back(total);
            total += std::size_t(length);
        }
        lines_.resize(total);
        pastLength_ = (std::size_t(plan_.longestPast) / FDN_FRAMES + 2) * FDN_FRAMES;
        past_.resize(std::size_t(plan_.inputs) * 2 * pastLength_);
        tone_.resize(std::size_t(2 * lanes * plan_.tones()));
        low_.resize(std::size_t(2 * lanes * plan_.lows()));
        for (Voice& voice : designs_)
            voice.design.complete(plan_, setting);
    }

    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    const Plan& plan() const { return plan_; }
    const Design& design() const { return designs_[now_].design; }
    bool settled() const { return faded_ < 0 && part_ < 0; }
    // Whether everything it was given so far was zero: then it holds nothing that could be cut off.
    bool untouched() const { return untouched_; }

    // What the controls ask from now on. A room that has not played yet takes it at once.
    void ask(const Setting& setting)
    {
        asked_ = setting;
        if (clock_ == 0 && designs_[now_].design.setting != setting)
            designs_[now_].design.complete(plan_, setting);
    }

    // in[inputs], out[outputs] with room for FDN_FRAMES each; gains of direct sound and early part, a value a frame.
    // Frames must not cross a multiple of FDN_FRAMES, counted from the room's first.
    void process(const double* const* in, double* const* out, const double* direct, const double* early, int frames)
    {
        if (clock_ % designEvery == 0)
            schedule();
        if (wide_)
            playWide(in, out, direct, early, frames);
        else
            playPlain(in, out, direct, early, frames);
        clock_ += frames;
        pastAt_ = (pastAt_ + std::size_t(frames)) % pastLength_;
        if (faded_ >= 0 && (faded_ += frames) >= fadeLength() + longestPause_) {
            now_ = 1 - now_;
            faded_ = -1;
        }
        if (clock_ % FDN_SWEEP == 0)
            sweep();
    }

    Room* nextRetired = nullptr; // link of the list of rooms that wait to be deleted

private:
    // A design and the filters' memory that belongs to it.
    struct Voice {
        explicit Voice(const Plan& plan) : design(plan), state(std::size_t(2 * plan.sections() * plan.width)) {}
        Design design;
        std::vector<double> state;
    };

    // Work on the next design, begin one, or begin to fade one in.
    void schedule()
    {
        Voice& next = designs_[1 - now_];
        if (part_ < 0) {
            if (faded_ >= 0 || asked_ == designs_[now_].design.setting)
                return;
            wanted_ = asked_;
            part_ = 0;
        }
        if (next.design.advance(plan_, wanted_, part_++))
            return;
        part_ = -1;
        faded_ = 0;
        longestPause_ = 0;
        for (std::size_t i = 0; i < pauses_.size(); ++i) {
            pauses_[i] = std::max(0, next.design.delays[i] - designs_[now_].design.delays[i]);
            longestPause_ = std::max(longestPause_, pauses_[i]);
        }
        std::fill(next.state.begin(), next.state.end(), 0.0);
    }

    int fadeLength() const { return static_cast<int>(fade_.size()); }

    // The fade from 0 to 1, so many samples after its begin.
    double faded(int samples) const
    {
        return samples < 0 ? 0.0 : samples < fadeLength() ? fade_[std::size_t(samples)] : 1.0;
    }

    void sweep()
    {
        for (Voice& voice : designs_)
            fdn_sweep(voice.state.data(), static_cast<int>(voice.state.size()));
        fdn_sweep(tone_.data(), static_cast<int>(tone_.size()));
        fdn_sweep(low_.data(), static_cast<int>(low_.size()));
    }

    FDNLEARN_WIDE void playWide(const double* const* in, double* const* out, const double* direct, const double* early,
                                int frames)
    {
        play(in, out, direct, early, frames);
    }
    void playPlain(const double* const* in, double* const* out, const double* direct, const double* early, int frames)
    {
        play(in, out, direct, early, frames);
    }

    // The usual widths as constants, for the compiler's sake.
    FDNLEARN_INLINE void play(const double* const* in, double* const* out, const double* direct, const double* early,
                                int frames)
    {
        remember(in, frames);
        double late[mostChannels][FDN_FRAMES];
        if (faded_ >= 0)
            recirculate<true>(plan_.width, late, frames);
        else if (plan_.width == 16)
            recirculate<false>(16, late, frames);
        else if (plan_.width == 8)
            recirculate<false>(8, late, frames);
        else
            recirculate<false>(plan_.width, late, frames);
        double rows[2][mostChannels + 1][FDN_FRAMES] = {}; // direct sound, early part
        hearTaps(rows, frames);
        for (int t = 0; t < frames; ++t) {
            double y[lanes] = {};
            for (int o = 0; o < plan_.outputs; ++o)
                y[o] = late[o][t] + direct[t] * (rows[0][o][t] + rows[0][plan_.outputs][t]) +
                       early[t] * (rows[1][o][t] + rows[1][plan_.outputs][t]);
            fdn_filter_lines(plan_.low.data(), plan_.lows(), lanes, low_.data(), y);
            for (int o = 0; o < plan_.outputs; ++o)
                out[o][t] = y[o];
        }
    }

    // The inputs, twice each, so that any stretch of them lies in one piece. Frozen, the room hears nothing.
    FDNLEARN_INLINE void remember(const double* const* in, int frames)
    {
        const double before = designs_[now_].design.feed, after = designs_[1 - now_].design.feed;
        for (int k = 0; k < plan_.inputs; ++k) {
            FDN_SAMPLE* const past = past_.data() + std::size_t(k) * 2 * pastLength_ + pastAt_;
            for (int t = 0; t < frames; ++t) {
                const double feed = faded_ < 0 ? before : before + faded(faded_ + t) * (after - before);
                const double x = in[k][t];
                untouched_ = untouched_ && x == 0.0;
                past[t] = past[t + std::ptrdiff_t(pastLength_)] = static_cast<FDN_SAMPLE>(fdn_quiet(x * feed));
            }
        }
    }

    const FDN_SAMPLE* recent(int input) const
    {
        return past_.data() + std::size_t(input) * 2 * pastLength_ + pastLength_ + pastAt_;
    }

    FDNLEARN_INLINE void hearTaps(double (*rows)[mostChannels + 1][FDN_FRAMES], int frames)
    {
        for (const TapGroup& group : plan_.groups) {
            const FDN_SAMPLE* const x = recent(group.input);
            double* const row = rows[group.direct ? 0 : 1][group.row];
            for (int v = 0; v < (faded_ < 0 ? 1 : 2); ++v) {
                const Design& design = designs_[v == 0 ? now_ : 1 - now_].design;
                double heard[FDN_FRAMES] = {};
                fdn_taps(x, design.tapDelays.data() + group.first, plan_.tapGains.data() + group.first, group.count,
                         frames, heard);
                for (int t = 0; t < frames; ++t) {
                    const double share = faded_ < 0 ? 0.0 : faded(faded_ + t);
                    row[t] += (v == 0 ? 1.0 - share : share) * heard[t];
                }
            }
        }
    }

    // The lines, as many frames at once as the shortest lasts; late[output][frame] is what is heard of them.
    template <bool fading>
    FDNLEARN_INLINE void recirculate(int width, double (*late)[FDN_FRAMES], int frames)
    {
        const Voice &now = designs_[now_], &next = designs_[1 - now_];
        const int shortest =
            fading ? std::min(now.design.shortest, next.design.shortest) : now.design.shortest;
        for (int done = 0; done < frames;) {
            const int count = std::min(frames - done, shortest);
            pass<fading>(width, late, done, count);
            done += count;
        }
    }

    template <bool fading>
    FDNLEARN_INLINE void pass(int width, double (*late)[FDN_FRAMES], int first, int frames)
    {
        Voice &now = designs_[now_], &next = designs_[1 - now_];
        double heard[FDN_FRAMES * mostLines];
        read(now.design, width, frames, heard);
        if constexpr (fading)
            readBoth(next.design, width, first, frames, heard);
        for (int t = 0; t < frames; ++t) {
            double* const row = heard + t * width;
            double fed[mostLines] = {}, out[lanes] = {}, x[mostChannels];
            for (int o = 0; o < plan_.outputs; ++o)
                out[o] = fdn_inner(plan_.outputGains.data() + o * width, row, width);
            fdn_filter_lines(plan_.tone.data(), plan_.tones(), lanes, tone_.data(), out);
            for (int o = 0; o < plan_.outputs; ++o)
                late[o][first + t] = out[o];
            for (int k = 0; k < plan_.inputs; ++k)
                x[k] = recent(k)[first + t - now.design.late];
            if constexpr (fading) {
                const double share = faded(faded_ + first + t);
                double other[mostLines];
                std::copy(row, row + width, other);
                absorb(next, width, other);
                absorb(now, width, row);
                for (int i = 0; i < width; ++i)
                    row[i] = (1.0 - share) * row[i] + share * other[i];
                for (int k = 0; k < plan_.inputs; ++k)
                    x[k] = (1.0 - share) * x[k] + share * double(recent(k)[first + t - next.design.late]);
            } else {
                absorb(now, width, row);
            }
            fdn_mix(plan_.feedback.data(), row, plan_.lines, width, fed);
            fdn_mix(plan_.inputGains.data(), x, plan_.inputs, width, fed);
            for (int i = 0; i < width; ++i)
                row[i] = fed[i];
        }
        for (int i = 0; i < plan_.lines; ++i) {
            const std::size_t line = std::size_t(i);
            at_[line] = fdn_write(lines_.data() + offsets_[line], plan_.longestLine[line], at_[line], frames, width,
                                  heard + i);
        }
    }

    // Fades from what was read at one delay to what is read at the other.
    FDNLEARN_INLINE void readBoth(const Design& next, int width, int first, int frames, double* heard)
    {
        double other[FDN_FRAMES * mostLines];
        read(next, width, frames, other);
        for (int i = 0; i < plan_.lines; ++i)
            for (int t = 0; t < frames; ++t) {
                const int since = faded_ + first + t;
                heard[t * width + i] = (1.0 - faded(since)) * heard[t * width + i] +
                                       faded(since - pauses_[std::size_t(i)]) * other[t * width + i];
            }
    }

    FDNLEARN_INLINE void read(const Design& design, int width, int frames, double* heard)
    {
        for (int i = 0; i < plan_.lines; ++i) {
            const std::size_t line = std::size_t(i);
            fdn_read(lines_.data() + offsets_[line], plan_.longestLine[line], at_[line], design.delays[line], frames,
                     width, heard + i);
        }
        for (int i = plan_.lines; i < width; ++i)
            for (int t = 0; t < frames; ++t)
                heard[t * width + i] = 0.0;
    }

    FDNLEARN_INLINE void absorb(Voice& voice, int width, double* x)
    {
        fdn_filter_lines(voice.design.sos.data(), plan_.sections(), width, voice.state.data(), x);
        for (int i = 0; i < width; ++i)
            x[i] *= voice.design.gains[std::size_t(i)];
    }

    Plan plan_;
    Voice designs_[2];
    std::vector<double> fade_, tone_, low_;
    std::vector<FDN_SAMPLE> lines_, past_;
    std::vector<std::size_t> offsets_;
    std::vector<int> at_; // where every line is written
    std::vector<int> pauses_; // by how much every line grows in this fade
    int longestPause_ = 0;
    std::size_t pastLength_ = 0, pastAt_ = 0;
    Setting asked_, wanted_;
    long long clock_ = 0;
    int now_ = 0; // the design that plays
    int part_ = -1; // of the design that is being made
    int faded_ = -1; // samples since the other design began to fade in
    bool wide_, untouched_ = true;
};

} // namespace fdnlearn
