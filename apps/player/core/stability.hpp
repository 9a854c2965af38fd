// Proof that a loop is stable, at loading: the gain of every loop filter is bounded over all frequencies by intervals of
// phi = sin^2(w/2), a cascade by the mean-value form of its logarithm (R. E. Moore et al., Introduction to Interval
// Analysis, 2009, chs. 6 and 12). Towards half the rate cos^2(w/2) takes its place, which turns the sign of c1.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "biquads.hpp"

namespace fdnlearn {

constexpr double stabilityMargin = 1e-7;

class LoopBound {
public:
    // Whether gain * |sections in series| stays at or below `allowed` at every frequency.
    static bool holds(double gain, const std::vector<Section>& sections, double allowed)
    {
        if (!(std::fabs(gain) <= allowed) && sections.empty())
            return false;
        for (const Section& s : sections)
            if (!(std::fabs(s.a2) < 1.0 && std::fabs(s.a1) < 1.0 + s.a2))
                return false;
        return sections.empty() || (LoopBound(sections, 1.0).below(gain, allowed) &&
                                    LoopBound(sections, -1.0).below(gain, allowed));
    }

private:
    static constexpr double eps = 16 * std::numeric_limits<double>::epsilon();
    static constexpr int mostIntervals = 200000;

    struct Range {
        double least, most;
    };

    LoopBound(const std::vector<Section>& sections, double side)
    {
        for (const Section& s : sections) {
            over_.emplace_back(s.b0, side * s.b1, s.b2);
            under_.emplace_back(1.0, side * s.a1, s.a2);
        }
    }

    bool below(double gain, double allowed) const
    {
        std::vector<std::pair<double, double>> open{{0.0, std::ldexp(1.0, -48)}};
        for (int power = -48; power < -1; ++power) // dyadic: resolves poles close to z = 1
            open.emplace_back(std::ldexp(1.0, power), std::ldexp(1.0, power + 1));
        for (int looked = 0; !open.empty(); ++looked) {
            const auto [low, high] = open.back();
            open.pop_back();
            if (gain * gain * most(low, high) <= allowed * allowed * (1.0 - eps))
                continue;
            const double middle = (low + high) / 2.0;
            if (looked > mostIntervals || middle <= low || middle >= high)
                return false;
            open.emplace_back(low, middle);
            open.emplace_back(middle, high);
        }
        return true;
    }

    // Bounds of a quadratic over an interval, and of its slope.
    static Range values(const Quadratic& q, double low, double high)
    {
        const double a = q.at(low), b = q.at(high), c = a + (high - low) / 2.0 * (q.k1 + 2.0 * q.k2 * low);
        const double noise = eps * (std::fabs(q.k0) + std::fabs(q.k1) * high + std::fabs(q.k2) * high * high);
        return {std::min({a, b, c}) - noise, std::max({a, b, c}) + noise};
    }

    // Bounds of q'/q over an interval where q is positive.
    static Range rates(const Quadratic& q, Range value, double low, double high)
    {
        const double a = q.k1 + 2.0 * q.k2 * low, b = q.k1 + 2.0 * q.k2 * high;
        const double noise = eps * (std::fabs(q.k1) + 2.0 * std::fabs(q.k2) * high);
        const double least = std::min(a, b) - noise, most = std::max(a, b) + noise;
        return {std::min(least / value.least, least / value.most), std::max(most / value.least, most / value.most)};
    }

    // Upper bound of the squared magnitude over an interval.
    double most(double low, double high) const
    {
        const double middle = (low + high) / 2.0, radius = (high - low) / 2.0;
        double natural = 1.0, centre = 1.0, rise = 0.0, fall = 0.0;
        bool smooth = true;
        for (std::size_t s = 0; s < over_.size(); ++s) {
            const Range b = values(over_[s], low, high), a = values(under_[s], low, high);
            if (!(a.least > 0.0))
                return std::numeric_limits<double>::infinity();
            natural *= b.most / a.least;
            smooth = smooth && b.least > 0.0;
            if (!smooth)
                continue;
            const Range over = rates(over_[s], b, low, high), under = rates(under_[s], a, low, high);
            rise += over.most - under.least;
            fall += over.least - under.most;
            const Range at = values(over_[s], middle, middle), down = values(under_[s], middle, middle);
            centre *= at.most / down.least;
        }
        const double padding = 1.0 + eps * (4.0 * double(over_.size()) + 4.0);
        const double steepest = std::max(std::fabs(rise), std::fabs(fall)) * padding;
        const double bound = smooth ? std::min(natural, centre * std::exp(steepest * radius)) : natural;
        return std::isnan(bound) ? std::numeric_limits<double>::infinity() : bound * padding;
    }

    std::vector<Quadratic> over_, under_;
};

} // namespace fdnlearn
