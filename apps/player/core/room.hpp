// A running fit. Making one takes memory and time; playing it does neither: settings are designed anew in small parts
// between samples, and what was designed is faded in over the same delay lines, so that the tail lives on.
//
// No sequence of settings adds energy to the lines. While a line goes from a delay to another it is read at both, with
// weights 1 - c(n) and c(n - d), d being what it grows by: a longer line begins with a pause, since what lies further
// back has been read before. The weights of one moment and the weights of one sample both add up to 1 at most, so
// reading shrinks a signal (Schur's test), the filters shrink it, and the matrix turns it.
#pragma once

#include "state.hpp"

namespace fdnlearn::plain {
#include "play.inl"
}

// The same for processors with wide vectors: the header is taken in once more, in a namespace of its own.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__AVX__)
#define FDNLEARN_WIDE 1
#pragma GCC push_options
#pragma GCC target("avx2")
namespace fdnlearn::wide {
#undef FDN_LOOP_H
#undef FDN_LANES
#define FDN_LANES 4
#include "fdn_loop.h"
#include "play.inl"
}
#pragma GCC pop_options
#else
#define FDNLEARN_WIDE 0
#endif

namespace fdnlearn {

// Samples between two parts of a design: one line's filters take about a hundredth of that time.
constexpr int designEvery = 64;

class Room {
public:
    Room(const Fit& fit, double rate, const Setting& setting) : state_(fit, rate, setting), asked_(setting)
    {
#if FDNLEARN_WIDE
        if (__builtin_cpu_supports("avx2"))
            play_ = wide::play;
#endif
    }

    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    const Plan& plan() const { return state_.plan; }
    // Whether everything it was given so far was zero: then it holds nothing that could be cut off.
    bool untouched() const { return state_.untouched; }

    // What the controls ask from now on. A room that has not played yet takes it at once.
    void ask(const Setting& setting)
    {
        asked_ = setting;
        if (clock_ == 0 && state_.playing().setting != setting)
            state_.voices[state_.now].design.complete(state_.plan, setting);
    }

    // in[inputs], out[outputs] with room for FDN_FRAMES each; gains of direct sound and early part, a value a frame.
    // Frames must not cross a multiple of FDN_FRAMES, counted from the room's first.
    void process(const double* const* in, double* const* out, const double* direct, const double* early, int frames)
    {
        if (clock_ % designEvery == 0)
            schedule();
        play_(state_, in, out, direct, early, frames);
        clock_ += frames;
        state_.advance(frames);
        if (clock_ % FDN_SWEEP == 0)
            state_.sweep();
    }

    Room* nextRetired = nullptr; // link of the list of rooms that wait to be deleted

private:
    // Work on the next design, begin one, or begin to fade one in.
    void schedule()
    {
        if (part_ < 0) {
            if (state_.fading() || asked_ == state_.playing().setting)
                return;
            wanted_ = asked_;
            part_ = 0;
        }
        if (state_.voices[1 - state_.now].design.advance(state_.plan, wanted_, part_++))
            return;
        part_ = -1;
        state_.beginFade();
    }

    RoomState state_;
    Setting asked_, wanted_;
    long long clock_ = 0;
    int part_ = -1; // of the design that is being made
    decltype(&plain::play) play_ = plain::play;
};

} // namespace fdnlearn
