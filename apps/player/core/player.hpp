// What a plugin is: a room between dry and wet, its controls smoothed, another room faded in while audio runs.
// One thread at a time may load; one other may process. Processing takes no memory, no lock, and never waits.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>
#include <vector>

#include "room.hpp"

namespace fdnlearn {

// As the host knows them.
enum Control { wet, dry, preDelay, decay, size, earlyLevel, directSound, freeze, controlCount };

struct ControlRange {
    const char *name, *symbol, *unit;
    float least, most, usual;
    bool onOff;
};

inline constexpr ControlRange controlRanges[controlCount] = {
    {"Wet", "wet", "dB", -60.0f, 12.0f, 0.0f, false},
    {"Dry", "dry", "dB", -60.0f, 12.0f, -60.0f, false},
    {"Pre-delay", "predelay", "ms", 0.0f, float(1000.0 * mostPreDelay), 0.0f, false},
    {"Decay", "decay", "x", float(leastDecay), float(mostDecay), 1.0f, false},
    {"Size", "size", "x", float(leastSize), float(mostSize), 1.0f, false},
    {"Early level", "early", "dB", -60.0f, 12.0f, 0.0f, false},
    {"Direct sound", "direct", "", 0.0f, 1.0f, 1.0f, true},
    {"Freeze", "freeze", "", 0.0f, 1.0f, 0.0f, true},
};

// Within its range, whatever a host says.
inline float limited(int control, float value)
{
    const ControlRange& range = controlRanges[control];
    if (!(value >= range.least))
        return std::isnan(value) ? range.usual : range.least;
    return value > range.most ? range.most : value;
}

// Decibels as a factor; the lowest value of a level means silence.
inline double factor(float db) { return db <= -60.0f ? 0.0 : std::pow(10.0, double(db) / 20.0); }

// A gain that follows its target without a step and without a kink.
class Smooth {
public:
    void start(double rate) { share_ = 1.0 - std::exp(-1.0 / (0.008 * rate)); }
    void jump(double value) { value_ = half_ = target_ = value; }
    void aim(double value) { target_ = value; }
    void fill(double* values, int frames)
    {
        for (int t = 0; t < frames; ++t) {
            half_ += share_ * (target_ - half_);
            value_ += share_ * (half_ - value_);
            if (std::fabs(target_ - half_) + std::fabs(target_ - value_) < 1e-7)
                jump(target_);
            values[t] = value_;
        }
    }

private:
    double value_ = 0.0, half_ = 0.0, target_ = 0.0, share_ = 1.0;
};

class Player {
public:
    Player()
    {
        for (int c = 0; c < controlCount; ++c)
            controls_[std::size_t(c)].store(controlRanges[c].usual);
    }
    ~Player()
    {
        delete pending_.load();
        collect();
    }
    Player(const Player&) = delete;
    Player& operator=(const Player&) = delete;

    void set(int control, float value)
    {
        controls_[std::size_t(control)].store(limited(control, value), std::memory_order_relaxed);
    }
    float get(int control) const { return controls_[std::size_t(control)].load(std::memory_order_relaxed); }

    // Another fit; where audio runs, it fades in. Not in the audio thread.
    void load(std::shared_ptr<const Fit> fit)
    {
        const std::lock_guard<std::mutex> guard(loading_);
        collect();
        std::unique_ptr<Room> room;
        if (rate_ > 0.0)
            room = std::make_unique<Room>(*fit, rate_, setting());
        else
            Plan(*fit, fit->rate); // refused now rather than later
        fit_ = std::move(fit);
        if (room)
            delete pending_.exchange(room.release());
    }

    // Silence, at a sample rate. While no audio runs.
    void start(double rate)
    {
        const std::lock_guard<std::mutex> guard(loading_);
        collect();
        delete pending_.exchange(nullptr);
        incoming_.reset();
        current_.reset();
        rate_ = rate;
        fade_ = fadeCurve(rate);
        faded_ = 0;
        clock_ = 0;
        untouched_ = true;
        for (Smooth& gain : gains_)
            gain.start(rate);
        if (fit_)
            current_ = std::make_unique<Room>(*fit_, rate, setting());
    }

    // Two channels in, two out; in place or not, any number of frames.
    void process(const float* const* in, float* const* out, int frames)
    {
        for (int done = 0; done < frames;) {
            const int left = FDN_FRAMES - static_cast<int>(clock_ % FDN_FRAMES);
            const int count = frames - done < left ? frames - done : left;
            if (clock_ % FDN_FRAMES == 0)
                exchangeRooms();
            aim();
            const float* const from[] = {in[0] + done, in[1] + done};
            float* const to[] = {out[0] + done, out[1] + done};
            play(from, to, count);
            clock_ += count;
            done += count;
        }
    }

private:
    enum Gain { wetGain, dryGain, earlyGain, directGain, gainCount };

    Setting setting() const
    {
        return {double(get(decay)), double(get(size)), double(get(preDelay)) / 1000.0, get(freeze) >= 0.5f};
    }

    void aim()
    {
        const double targets[gainCount] = {factor(get(wet)), factor(get(dry)), factor(get(earlyLevel)),
                                           get(directSound) >= 0.5f ? 1.0 : 0.0};
        for (std::size_t g = 0; g < gainCount; ++g) {
            if (clock_ == 0)
                gains_[g].jump(targets[g]);
            else
                gains_[g].aim(targets[g]);
        }
    }

    // Take a room that was loaded, and give away one that has faded out.
    void exchangeRooms()
    {
        if (incoming_ && faded_ >= fade_.size()) {
            retire(std::move(current_));
            current_ = std::move(incoming_);
        }
        if (incoming_ || !pending_.load(std::memory_order_relaxed))
            return;
        incoming_.reset(pending_.exchange(nullptr, std::memory_order_acquire));
        faded_ = 0;
        if (current_ ? current_->untouched() : untouched_) { // nothing there that could be cut off
            retire(std::move(current_));
            current_ = std::move(incoming_);
        }
    }

    void play(const float* const* in, float* const* out, int frames)
    {
        double x[2][FDN_FRAMES], gains[gainCount][FDN_FRAMES], y[2][2][FDN_FRAMES] = {};
        for (int k = 0; k < 2; ++k)
            for (int t = 0; t < frames; ++t) {
                const float sample = in[k][t]; // a NaN would stay in the loop for ever
                x[k][t] = std::fabs(sample) <= 1e6f ? double(sample) : 0.0;
                untouched_ = untouched_ && sample == 0.0f;
            }
        for (std::size_t g = 0; g < gainCount; ++g)
            gains_[g].fill(gains[g], frames);
        const Setting wanted = setting();
        if (current_)
            render(*current_, wanted, x, y[0], gains, frames);
        else // no fit, no room: what goes in comes out
            for (int k = 0; k < 2; ++k)
                std::copy(x[k], x[k] + frames, y[0][k]);
        if (incoming_)
            render(*incoming_, wanted, x, y[1], gains, frames);
        for (int k = 0; k < 2; ++k)
            for (int t = 0; t < frames; ++t) {
                double heard = y[0][k][t];
                if (incoming_)
                    heard += fade_[faded_ + std::size_t(t)] * (y[1][k][t] - heard);
                const double sum = gains[wetGain][t] * heard + gains[dryGain][t] * x[k][t];
                out[k][t] = static_cast<float>(fdn_quiet(sum));
            }
        if (incoming_)
            faded_ += std::size_t(frames);
    }

    // A room of one input hears the mean of both channels; one of one output is heard in both.
    static void render(Room& room, const Setting& wanted, const double (*x)[FDN_FRAMES], double (*y)[FDN_FRAMES],
                       const double (*gains)[FDN_FRAMES], int frames)
    {
        double mean[FDN_FRAMES];
        const double* in[] = {x[0], x[1]};
        double* const heard[] = {y[0], y[1]};
        if (room.plan().inputs == 1) {
            for (int t = 0; t < frames; ++t)
                mean[t] = 0.5 * (x[0][t] + x[1][t]);
            in[0] = mean;
        }
        room.ask(wanted);
        room.process(in, heard, gains[directGain], gains[earlyGain], frames);
        if (room.plan().outputs == 1)
            for (int t = 0; t < frames; ++t)
                y[1][t] = y[0][t];
    }

    // From the audio thread: onto a list, since giving memory back is not for it.
    void retire(std::unique_ptr<Room> room)
    {
        Room* const old = room.release();
        if (!old)
            return;
        old->nextRetired = retired_.load(std::memory_order_relaxed);
        while (!retired_.compare_exchange_weak(old->nextRetired, old, std::memory_order_release,
                                               std::memory_order_relaxed)) {
        }
    }

    void collect()
    {
        for (Room* room = retired_.exchange(nullptr, std::memory_order_acquire); room;) {
            Room* const next = room->nextRetired;
            delete room;
            room = next;
        }
    }

    std::array<std::atomic<float>, controlCount> controls_;
    std::mutex loading_; // between threads that load; the audio thread knows nothing of it
    std::shared_ptr<const Fit> fit_;
    std::atomic<Room*> pending_{nullptr}, retired_{nullptr};
    double rate_ = 0.0;
    // The audio thread's own.
    std::unique_ptr<Room> current_, incoming_;
    std::array<Smooth, gainCount> gains_;
    std::vector<double> fade_;
    std::size_t faded_ = 0;
    long long clock_ = 0;
    bool untouched_ = true; // nothing but zeros came in so far
};

} // namespace fdnlearn
