// Everything that changes while a room plays. Making it takes memory, nothing else does.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "fdn_loop.h"

#include "plan.hpp"

namespace fdnlearn {

constexpr double fadeSeconds = 0.03;

// A raised cosine from 0 to 1, whole pieces of FDN_FRAMES.
inline std::vector<double> fadeCurve(double rate)
{
    std::vector<double> curve(std::size_t(std::max(1.0, std::ceil(fadeSeconds * rate / FDN_FRAMES))) * FDN_FRAMES);
    for (std::size_t t = 0; t < curve.size(); ++t)
        curve[t] = 0.5 - 0.5 * std::cos(pi * (double(t) + 0.5) / double(curve.size()));
    return curve;
}

// A design and the filters' memory that belongs to it.
struct Voice {
    explicit Voice(const Plan& plan) : design(plan), state(std::size_t(2 * plan.sections() * plan.width)) {}
    Design design;
    std::vector<double> state;
};

struct RoomState {
    RoomState(const Fit& fit, double rate, const Setting& setting)
        : plan(fit, rate), voices{Voice(plan), Voice(plan)}, fade(fadeCurve(rate)),
          tone(std::size_t(2 * lanes * plan.tones())), low(std::size_t(2 * lanes * plan.lows())),
          at(std::size_t(plan.lines)), pauses(std::size_t(plan.lines)),
          pastLength((std::size_t(plan.longestPast) / FDN_FRAMES + 2) * FDN_FRAMES)
    {
        std::size_t total = 0;
        for (const int length : plan.longestLine) {
            offsets.push_back(total);
            total += std::size_t(length);
        }
        lines.resize(total);
        past.resize(std::size_t(plan.inputs) * 2 * pastLength);
        for (Voice& voice : voices)
            voice.design.complete(plan, setting);
    }

    const Design& playing() const { return voices[now].design; }
    const Design& coming() const { return voices[1 - now].design; }
    bool fading() const { return fadedFor >= 0; }
    int fadeLength() const { return static_cast<int>(fade.size()); }

    // How far the other design has come, so many samples from now.
    double faded(int samples) const
    {
        const int since = fadedFor + samples;
        return since < 0 ? 0.0 : since < fadeLength() ? fade[std::size_t(since)] : 1.0;
    }

    void beginFade()
    {
        fadedFor = longestPause = 0;
        for (std::size_t i = 0; i < pauses.size(); ++i) {
            pauses[i] = std::max(0, coming().delays[i] - playing().delays[i]);
            longestPause = std::max(longestPause, pauses[i]);
        }
        std::fill(voices[1 - now].state.begin(), voices[1 - now].state.end(), 0.0);
    }

    // Time goes on by so many frames.
    void advance(int frames)
    {
        pastAt = (pastAt + std::size_t(frames)) % pastLength;
        if (fading() && (fadedFor += frames) >= fadeLength() + longestPause) {
            now = 1 - now;
            fadedFor = -1;
        }
    }

    // Numbers too small to be heard become zero before they get slow.
    void sweep()
    {
        for (Voice& voice : voices)
            fdn_sweep(voice.state.data(), static_cast<int>(voice.state.size()));
        fdn_sweep(tone.data(), static_cast<int>(tone.size()));
        fdn_sweep(low.data(), static_cast<int>(low.size()));
    }

    Plan plan;
    Voice voices[2];
    std::vector<double> fade, tone, low;
    std::vector<FDN_SAMPLE> lines, past;
    std::vector<std::size_t> offsets;
    std::vector<int> at; // where every line is written
    std::vector<int> pauses; // by how much every line grows in this fade
    std::size_t pastLength, pastAt = 0;
    int longestPause = 0;
    int now = 0; // the voice that plays
    int fadedFor = -1; // samples since the other began to fade in
    bool untouched = true; // nothing but zeros came in so far
};

} // namespace fdnlearn
