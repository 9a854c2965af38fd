// How lines decay. One class a family, and the one table that knows their names: a further family is a class and a line.
// Preparing allocates; designing a line does not, and may happen in the audio thread.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "biquads.hpp"
#include "contract.hpp"
#include "refusal.hpp"

namespace fdnlearn {

// The loop filters of all lines of a fit at a rate.
class Absorption {
public:
    virtual ~Absorption() = default;
    // Sections of every line.
    virtual int sections() const = 0;
    // The filter of one line of so many samples: its gain, and sections() sections.
    virtual double design(int line, double samples, double decay, Section* out) const = 0;
};

// Free gains: g' = g^((m'/fs') / (m/fs) / decay).
class PerLineGain final : public Absorption {
public:
    PerLineGain(const Fit& fit, double rate) : gains_(fit.absorption.gains), rate_(rate)
    {
        for (const double delay : fit.delays)
            seconds_.push_back(delay / fit.rate);
    }
    int sections() const override { return 0; }
    double design(int line, double samples, double decay, Section*) const override
    {
        const auto i = static_cast<std::size_t>(line);
        return std::pow(gains_[i], samples / rate_ / seconds_[i] / decay);
    }

private:
    std::vector<double> gains_, seconds_;
    double rate_;
};

// "flat-1": one reverberation time, one gain.
class Flat1 final : public Absorption {
public:
    Flat1(const Fit& fit, double rate) : rate_(rate)
    {
        if (fit.absorption.frequencies.size() != 1)
            throw Refusal("absorption.frequencies_hz", "flat-1 takes one knot");
        for (const int group : fit.absorption.groups)
            times_.push_back(fit.absorption.times[static_cast<std::size_t>(group)].front());
    }
    int sections() const override { return 0; }
    double design(int line, double samples, double decay, Section*) const override
    {
        return std::pow(10.0, -3.0 * samples / (rate_ * (times_[static_cast<std::size_t>(line)] * decay)));
    }

private:
    std::vector<double> times_;
    double rate_;
};

// "peq-1": a gain and one section a knot, whose gains in dB are a constant matrix times what the knots ask for.
class Peq1 final : public Absorption {
public:
    Peq1(const Fit& fit, double rate) : rate_(rate)
    {
        const AbsorptionData& data = fit.absorption;
        if (data.frequencies.size() < fewestKnots)
            throw Refusal("absorption.frequencies_hz", "peq-1 takes at least three knots");
        for (const int group : data.groups)
            times_.push_back(data.times[static_cast<std::size_t>(group)]);
        while (reach_ < data.frequencies.size() && data.frequencies[reach_] < 0.95 * rate / 2.0)
            ++reach_;
        if (reach_ < fewestKnots)
            return;
        place(data.frequencies);
        commands_ = inverse(interaction(data.frequencies));
        grid_[0] = 0.0;
        for (int point = 0; point < points; ++point) {
            const double hz = lowestHz * std::pow(rate / 2.0 / lowestHz, point / double(points - 1));
            grid_[static_cast<std::size_t>(point) + 1] = square(std::sin(pi * hz / rate));
        }
    }
    int sections() const override { return static_cast<int>(bells_.size()); }
    double design(int line, double samples, double decay, Section* out) const override
    {
        const std::vector<double>& times = times_[static_cast<std::size_t>(line)];
        const std::size_t used = std::max<std::size_t>(reach_, 1);
        const bool plain = bells_.empty();
        std::array<double, mostKnots> level;
        double mean = 0.0;
        for (std::size_t k = 0; k < used; ++k) {
            level[k] = -60.0 / rate_ * samples / (times[k] * decay);
            if (!plain)
                level[k] = std::max(level[k], lowestDb);
            mean += level[k];
        }
        mean /= double(used);
        const double gain = std::exp(mean * (ln10 / 20.0));
        if (plain)
            return std::pow(10.0, mean / 20.0);
        double most = gain; // a cookbook section never exceeds the gain it was given
        for (std::size_t s = 0; s < used; ++s) {
            double db = 0.0;
            for (std::size_t k = 0; k < used; ++k)
                db += commands_[s][k] * (level[k] - mean);
            const double root = std::exp(db * (ln10 / 80.0));
            out[s] = cookbook(bells_[s].type, root, bells_[s].cosine, bells_[s].alpha);
            most *= std::max(1.0, square(square(root)));
        }
        return most <= limit ? gain : gain * std::min(1.0, limit / (gain * peak(out)));
    }

private:
    static constexpr std::size_t fewestKnots = 3;
    static constexpr int points = 1024;
    static constexpr double lowestHz = 2.0, lowestDb = -60.0, limit = 1.0 - 1e-5, rise = 3.0, prototypeDb = 4.0;
    static constexpr double ln10 = 2.30258509299404568402;

    struct Bell {
        ToneSection::Type type;
        double cosine, alpha;
    };

    static double square(double x) { return x * x; }

    void place(const std::vector<double>& knots)
    {
        const auto bell = [this](ToneSection::Type type, double hz, double q) {
            const double w = 2.0 * pi * hz / rate_;
            bells_.push_back({type, std::cos(w), std::sin(w) / (2.0 * q)});
        };
        const std::size_t last = reach_ - 1;
        bell(ToneSection::Type::lowShelf, std::sqrt(knots[0] * knots[1]), std::sqrt(0.5));
        for (std::size_t k = 1; k < last; ++k)
            bell(ToneSection::Type::peaking, knots[k], std::sqrt(2.0) / (std::log2(knots[k + 1] / knots[k - 1]) / 2.0));
        bell(ToneSection::Type::highShelf, std::sqrt(knots[last - 1] * knots[last]), std::sqrt(0.5));
    }

    // Level at every knot per dB of gain of every section.
    Fit::Matrix interaction(const std::vector<double>& knots) const
    {
        Fit::Matrix matrix(reach_, std::vector<double>(reach_));
        const double root = std::exp(prototypeDb * (ln10 / 80.0));
        for (std::size_t s = 0; s < reach_; ++s) {
            const Section section = cookbook(bells_[s].type, root, bells_[s].cosine, bells_[s].alpha);
            for (std::size_t k = 0; k < reach_; ++k)
                matrix[k][s] =
                    10.0 * std::log10(powerGain(section, square(std::sin(pi * knots[k] / rate_)))) / prototypeDb;
        }
        return matrix;
    }

    static Fit::Matrix inverse(Fit::Matrix a)
    {
        const std::size_t n = a.size();
        Fit::Matrix b(n, std::vector<double>(n));
        for (std::size_t i = 0; i < n; ++i)
            b[i][i] = 1.0;
        for (std::size_t c = 0; c < n; ++c) {
            std::size_t pivot = c;
            for (std::size_t r = c + 1; r < n; ++r)
                if (std::fabs(a[r][c]) > std::fabs(a[pivot][c]))
                    pivot = r;
            if (!(std::fabs(a[pivot][c]) > 1e-12))
                throw Refusal("absorption.frequencies_hz", "knots lie too close together");
            std::swap(a[c], a[pivot]);
            std::swap(b[c], b[pivot]);
            for (std::size_t r = 0; r < n; ++r) {
                if (r == c)
                    continue;
                const double factor = a[r][c] / a[c][c];
                for (std::size_t k = 0; k < n; ++k) {
                    a[r][k] -= factor * a[c][k];
                    b[r][k] -= factor * b[c][k];
                }
            }
        }
        for (std::size_t r = 0; r < n; ++r)
            for (std::size_t k = 0; k < n; ++k)
                b[r][k] /= a[r][r];
        return b;
    }

    // Largest magnitude of the sections in series: over the grid, and of parabolas through its local maxima.
    double peak(const Section* sections) const
    {
        std::array<double, points + 1> over, under;
        over.fill(1.0);
        under.fill(1.0);
        for (std::size_t s = 0; s < bells_.size(); ++s) {
            const Quadratic b(sections[s].b0, sections[s].b1, sections[s].b2), a(1.0, sections[s].a1, sections[s].a2);
            for (std::size_t point = 0; point < grid_.size(); ++point) {
                over[point] *= b.at(grid_[point]);
                under[point] *= a.at(grid_[point]);
            }
            if (s % 8 == 7 || s + 1 == bells_.size()) // before a product of small numbers gets too small
                for (std::size_t point = 0; point < grid_.size(); ++point) {
                    over[point] /= under[point];
                    under[point] = 1.0;
                }
        }
        double most = std::log(std::max({over.front(), over.back(), 1e-300}));
        for (std::size_t point = 1; point + 1 < over.size(); ++point) {
            if (!(over[point] >= over[point - 1] && over[point] >= over[point + 1]))
                continue;
            const double low = std::log(std::max(over[point - 1], 1e-300)), here = std::log(std::max(over[point], 1e-300)),
                         high = std::log(std::max(over[point + 1], 1e-300)), bend = 2.0 * here - low - high;
            most = std::max(most, bend > 0.0 ? here + rise / 8.0 * square(high - low) / bend : here);
        }
        return std::exp(most / 2.0);
    }

    double rate_;
    std::size_t reach_ = 0; // knots below 0.95 of half the rate
    std::vector<std::vector<double>> times_;
    std::vector<Bell> bells_;
    Fit::Matrix commands_;
    std::array<double, points + 1> grid_{};
};

using MakeAbsorption = std::unique_ptr<Absorption> (*)(const Fit&, double rate);

template <class Family> std::unique_ptr<Absorption> make(const Fit& fit, double rate)
{
    return std::make_unique<Family>(fit, rate);
}

// Every family there is; free gains have no name.
inline constexpr std::pair<std::string_view, MakeAbsorption> families[] = {
    {"", make<PerLineGain>},
    {"flat-1", make<Flat1>},
    {"peq-1", make<Peq1>},
};

inline std::unique_ptr<Absorption> absorptionOf(const Fit& fit, double rate)
{
    for (const auto& [name, makeFamily] : families)
        if (name == fit.absorption.family)
            return makeFamily(fit, rate);
    throw Refusal("absorption.family", "is unknown to this player");
}

} // namespace fdnlearn
