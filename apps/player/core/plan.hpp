// A fit at a sample rate: what the controls leave alone (Plan), and what they move (Design).
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <tuple>
#include <vector>

#include "biquads.hpp"
#include "contract.hpp"
#include "families.hpp"
#include "reader.hpp"
#include "refusal.hpp"
#include "resample.hpp"
#include "stability.hpp"

namespace fdnlearn {

// Ranges of the controls that shape the network.
constexpr double leastDecay = 0.25, mostDecay = 4.0, leastSize = 0.5, mostSize = 2.0, mostPreDelay = 0.2;
// What a frozen network loses in one round trip.
constexpr double freezeGain = 1.0 - 1e-6;
// So long the direct sound lasts in an early part: its colour is learned. A head is all of it direct sound.
constexpr double directSeconds = 1.5e-3;

// Outputs go through their filters side by side, as lines do.
constexpr int lanes = 4;

// What the controls ask of the network.
struct Setting {
    double decay = 1.0, size = 1.0, preDelay = 0.0;
    bool freeze = false;

    bool operator==(const Setting& o) const
    {
        return decay == o.decay && size == o.size && preDelay == o.preDelay && freeze == o.freeze;
    }
    bool operator!=(const Setting& o) const { return !(*this == o); }
};

// Taps of one path that are heard together: in one output, or, where both outputs have them, in row `outputs`.
struct TapGroup {
    int row, input;
    bool direct; // belongs to the direct sound
    int first, count; // in the plan's taps
};

struct PlannedTap {
    double position; // samples after the direct sound: at the fit's rate where it moves with the size, else at this one
    bool moves;
};

inline double nearest(double x) { return std::floor(x + 0.5); }

class Plan {
public:
    Plan(const Fit& fit, double sampleRate)
        : rate(sampleRate), fitRate(fit.rate), lines(fit.lineCount()), width((lines + 3) / 4 * 4),
          inputs(fit.inputCount()), outputs(fit.outputCount()), absorption(absorptionOf(fit, sampleRate)),
          delays(fit.delays), lateDelay(fit.lateDelay), preDelay(nearest(fit.preDelaySeconds * sampleRate))
    {
        if (!(rate >= 1000.0 && rate <= 768000.0))
            throw Refusal("sample rate", "is out of range");
        // ||U||^2 <= 1 + N max |U U^T - 1|
        norm = std::sqrt(1.0 + lines * FitReader::orthogonalityError(fit.feedback)) * (1.0 + 1e-13);
        const auto columns = [this](const Fit::Matrix& matrix, std::size_t count) {
            std::vector<double> values(count * std::size_t(width));
            for (std::size_t row = 0; row < matrix.size(); ++row)
                for (std::size_t column = 0; column < count; ++column)
                    values[column * std::size_t(width) + row] = matrix[row][column];
            return values;
        };
        feedback = columns(fit.feedback, std::size_t(lines));
        inputGains = columns(fit.inputs, std::size_t(inputs));
        outputGains.resize(std::size_t(outputs * width));
        for (std::size_t o = 0; o < std::size_t(outputs); ++o)
            for (std::size_t i = 0; i < std::size_t(lines); ++i)
                outputGains[o * std::size_t(width) + i] = fit.outputs[o][i] * fit.gain;
        std::vector<Section> sections;
        for (const ToneSection& section : fit.tone)
            sections.push_back(toneSection(section, rate));
        tone = flat(sections);
        low = flat(lowpass(fit.rate, rate));
        planTaps(fit);
        measure();
        prove();
    }

    int sections() const { return absorption->sections(); }
    int tones() const { return static_cast<int>(tone.size()) / (5 * lanes); }
    int lows() const { return static_cast<int>(low.size()) / (5 * lanes); }

    // Samples of a line at a size.
    int lineSamples(int line, double size) const
    {
        return static_cast<int>(std::max(1.0, nearest(delays[std::size_t(line)] * size * rate / fitRate)));
    }
    // A place in the early part, or the late delay, at a size.
    int moved(double position, double size) const { return static_cast<int>(nearest(position * size * rate / fitRate)); }

    // Delay of the direct sound.
    int origin(const Setting& setting) const
    {
        const int pre = static_cast<int>(preDelay + nearest(setting.preDelay * rate));
        return std::max(pre, early);
    }

    double rate, fitRate;
    int lines, width, inputs, outputs;
    std::unique_ptr<Absorption> absorption;
    std::vector<double> delays;
    double lateDelay, preDelay, norm = 1.0;
    std::vector<double> feedback, inputGains, outputGains; // [source][line], [input][line], [output][line]
    std::vector<double> tone, low; // [section][b0 b1 b2 a1 a2][lane]
    std::vector<PlannedTap> taps;
    std::vector<double> tapGains;
    std::vector<TapGroup> groups;
    int early = 0; // samples by which a head, or a resampled early part, begins before the direct sound
    int longestPast = 0; // of inputs, whatever the controls say
    std::vector<int> longestLine;

private:
    static std::vector<double> flat(const std::vector<Section>& sections)
    {
        std::vector<double> values;
        for (const Section& s : sections)
            for (const double coefficient : {s.b0, s.b1, s.b2, s.a1, s.a2})
                values.insert(values.end(), lanes, coefficient);
        return values;
    }

    // (input, direct, moves, position, gain): equal ones of both outputs are one.
    using Key = std::tuple<int, bool, bool, double, double>;

    void planTaps(const Fit& fit)
    {
        std::vector<std::vector<Key>> rows(static_cast<std::size_t>(outputs) + 1);
        for (int o = 0; o < outputs; ++o)
            for (int k = 0; k < inputs; ++k)
                if (const double d = fit.direct[std::size_t(o)][std::size_t(k)]; d != 0.0)
                    rows[std::size_t(o)].emplace_back(k, true, false, 0.0, d * fit.gain);
        for (const EarlyPath& path : fit.early)
            addPath(fit, path, rows[std::size_t(path.output)]);
        for (const HeadPath& path : fit.head)
            addDense(fit, path.input, path.coefficients, static_cast<int>(nearest(fit.directPeak * rate / fitRate)),
                     true, rows[std::size_t(path.output)]);
        for (auto& row : rows)
            std::sort(row.begin(), row.end());
        if (outputs == 2) {
            std::vector<Key> common, left, right;
            const auto &a = rows[0], &b = rows[1];
            std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
            std::set_difference(a.begin(), a.end(), common.begin(), common.end(), std::back_inserter(left));
            std::set_difference(b.begin(), b.end(), common.begin(), common.end(), std::back_inserter(right));
            rows = {left, right, common};
        }
        for (std::size_t row = 0; row < rows.size(); ++row)
            for (const auto& [input, direct, moves, position, gain] : rows[row]) {
                if (groups.empty() || groups.back().row != int(row) || groups.back().input != input ||
                    groups.back().direct != direct)
                    groups.push_back({int(row), input, direct, int(taps.size()), 0});
                ++groups.back().count;
                taps.push_back({position, moves});
                tapGains.push_back(gain);
            }
    }

    void addPath(const Fit& fit, const EarlyPath& path, std::vector<Key>& row)
    {
        if (!path.dense) {
            for (const Tap& tap : path.taps)
                if (tap.gain != 0.0)
                    row.emplace_back(path.input, tap.samples <= directSeconds * fitRate, true, tap.samples,
                                     tap.gain * fit.gain);
            return;
        }
        std::vector<double> coefficients;
        for (const Tap& tap : path.taps)
            coefficients.push_back(tap.gain);
        addDense(fit, path.input, coefficients, 0, false, row);
    }

    // Coefficients one sample apart, of which number `peak` falls on the direct sound.
    void addDense(const Fit& fit, int input, const std::vector<double>& coefficients, int peak, bool head,
                  std::vector<Key>& row)
    {
        const int before = peak + firLatency(fitRate, rate);
        if (!coefficients.empty())
            early = std::max(early, before);
        const std::vector<double> response = resampled(coefficients, fitRate, rate);
        for (std::size_t k = 0; k < response.size(); ++k)
            if (response[k] != 0.0)
                row.emplace_back(input, head || double(k) - before <= directSeconds * rate, false, double(k) - before,
                                 response[k] * fit.gain);
    }

    void measure()
    {
        double total = 0.0, last = lateDelay;
        for (const double delay : delays)
            total += delay * mostSize * rate / fitRate + 1.0;
        if (total > mostDelayMemory)
            throw Refusal("delays_samples", "add up to more memory than the player takes");
        for (int i = 0; i < lines; ++i)
            longestLine.push_back(lineSamples(i, mostSize));
        double past = moved(last, mostSize);
        for (const PlannedTap& tap : taps)
            past = std::max(past, tap.moves ? double(moved(tap.position, mostSize)) : tap.position);
        past += std::max(preDelay + nearest(mostPreDelay * rate), double(early));
        if (past > double(1 << 25))
            throw Refusal("early", "reaches back further than the player remembers");
        longestPast = static_cast<int>(past);
    }

    void prove() const
    {
        std::vector<Section> filter(static_cast<std::size_t>(sections()));
        for (int i = 0; i < lines; ++i) {
            const double gain = absorption->design(i, lineSamples(i, 1.0), 1.0, filter.data());
            if (!LoopBound::holds(gain, filter, (1.0 - stabilityMargin) / norm))
                throw Refusal("absorption", "the loop is not stable");
        }
    }
};

// A plan at one setting of the controls. Its memory is taken when it is made; designing it anew takes none.
struct Design {
    explicit Design(const Plan& plan)
        : delays(std::size_t(plan.lines)), gains(std::size_t(plan.width)),
          sos(std::size_t(5 * plan.sections() * plan.width)), tapDelays(plan.taps.size()),
          section(std::size_t(plan.sections()))
    {
    }

    // One part of the work: a line, then some taps. Whether more is left to do.
    bool advance(const Plan& plan, const Setting& wanted, int part)
    {
        if (part < plan.lines) {
            designLine(plan, wanted, part);
            return true;
        }
        const std::size_t first = std::size_t(part - plan.lines) * tapsAtOnce;
        const std::size_t last = std::min(first + tapsAtOnce, tapDelays.size());
        const int origin = plan.origin(wanted);
        for (std::size_t p = first; p < last; ++p) {
            const PlannedTap& tap = plan.taps[p];
            tapDelays[p] =
                origin + (tap.moves ? plan.moved(tap.position, wanted.size) : static_cast<int>(tap.position));
        }
        shortest = *std::min_element(delays.begin(), delays.end());
        late = origin + plan.moved(plan.lateDelay, wanted.size);
        feed = wanted.freeze ? 0.0 : 1.0;
        setting = wanted;
        return last < tapDelays.size();
    }

    void complete(const Plan& plan, const Setting& wanted)
    {
        for (int part = 0; advance(plan, wanted, part); ++part) {
        }
    }

    std::vector<int> delays;
    std::vector<double> gains, sos; // [line], [section][b0 b1 b2 a1 a2][line]
    std::vector<int> tapDelays;
    int late = 0, shortest = 1;
    double feed = 1.0;
    Setting setting;

private:
    static constexpr std::size_t tapsAtOnce = 512;

    void designLine(const Plan& plan, const Setting& wanted, int line)
    {
        const std::size_t i = std::size_t(line), width = std::size_t(plan.width);
        delays[i] = plan.lineSamples(line, wanted.size);
        if (wanted.freeze) {
            std::fill(section.begin(), section.end(), Section{});
            gains[i] = freezeGain / plan.norm;
        } else {
            gains[i] = plan.absorption->design(line, delays[i], wanted.decay, section.data());
            if (section.empty())
                gains[i] = std::min(gains[i], (1.0 - stabilityMargin) / plan.norm);
        }
        for (std::size_t s = 0; s < section.size(); ++s) {
            double* const c = sos.data() + 5 * s * width + i;
            c[0] = section[s].b0;
            c[width] = section[s].b1;
            c[2 * width] = section[s].b2;
            c[3 * width] = section[s].a1;
            c[4 * width] = section[s].a2;
        }
    }

    std::vector<Section> section;
};

} // namespace fdnlearn
