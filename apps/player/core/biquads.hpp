// Second-order sections: the cookbook's, the low-pass above the fit's Nyquist, and what they do to a signal's power.
#pragma once

#include <cmath>
#include <complex>
#include <vector>

#include "contract.hpp"

namespace fdnlearn {

constexpr double pi = 3.14159265358979323846;

// a0 is 1.
struct Section {
    double b0 = 1.0, b1 = 0.0, b2 = 0.0, a1 = 0.0, a2 = 0.0;
};

// R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients": peakingEQ, lowShelf, highShelf.
// root is sqrt(A) = 10^(dB/80); cosine and alpha belong to frequency and Q.
inline Section cookbook(ToneSection::Type type, double root, double cosine, double alpha)
{
    const double a = root * root;
    double b0, b1, b2, a0, a1, a2;
    if (type == ToneSection::Type::peaking) {
        b0 = 1.0 + alpha * a;
        b1 = a1 = -2.0 * cosine;
        b2 = 1.0 - alpha * a;
        a0 = 1.0 + alpha / a;
        a2 = 1.0 - alpha / a;
    } else {
        const double side = type == ToneSection::Type::lowShelf ? 1.0 : -1.0, k = 2.0 * alpha * root;
        b0 = a * ((a + 1.0) - side * (a - 1.0) * cosine + k);
        b1 = side * 2.0 * a * ((a - 1.0) - side * (a + 1.0) * cosine);
        b2 = a * ((a + 1.0) - side * (a - 1.0) * cosine - k);
        a0 = (a + 1.0) + side * (a - 1.0) * cosine + k;
        a1 = -side * 2.0 * ((a - 1.0) + side * (a + 1.0) * cosine);
        a2 = (a + 1.0) + side * (a - 1.0) * cosine - k;
    }
    const double scale = 1.0 / a0;
    return {b0 * scale, b1 * scale, b2 * scale, a1 * scale, a2 * scale};
}

// One section of the output equaliser. Beyond half the rate it acts by what it does far below its frequency.
inline Section toneSection(const ToneSection& tone, double rate)
{
    const double root = std::pow(10.0, tone.gainDb / 80.0);
    if (tone.frequency >= rate / 2.0)
        return {tone.type == ToneSection::Type::lowShelf ? std::pow(root, 4.0) : 1.0, 0.0, 0.0, 0.0, 0.0};
    const double w = 2.0 * pi * tone.frequency / rate;
    return cookbook(tone.type, root, std::cos(w), std::sin(w) / (2.0 * tone.q));
}

// Chebyshev type II, order 24, 90 dB down from the fit's Nyquist on; none unless the rate is above the fit's.
inline std::vector<Section> lowpass(double fitRate, double rate)
{
    std::vector<Section> sections;
    if (!(rate > 1.0001 * fitRate))
        return sections;
    constexpr int order = 24;
    const double edge = std::tan(0.5 * pi * fitRate / rate);
    const double mu = std::asinh(std::sqrt(std::pow(10.0, 9.0) - 1.0)) / order;
    for (int k = order / 2; k > 0; --k) { // from the broadest resonance to the sharpest
        const double theta = pi * (2 * k - 1) / (2 * order);
        const double zero = edge / std::cos(theta);
        const std::complex<double> pole =
            edge / std::complex<double>(-std::sinh(mu) * std::sin(theta), std::cosh(mu) * std::cos(theta));
        const double b1 = 2.0 * (zero * zero - 1.0) / (zero * zero + 1.0);
        const double norm = std::norm(1.0 - pole);
        const double a1 = 2.0 * (std::norm(pole) - 1.0) / norm, a2 = std::norm(1.0 + pole) / norm;
        const double gain = (1.0 + a1 + a2) / (2.0 + b1);
        sections.push_back({gain, gain * b1, gain, a1, a2});
    }
    return sections;
}

// |c0 + c1 z^-1 + c2 z^-2|^2 as a quadratic in phi = sin^2(w/2): nothing cancels at low frequencies.
struct Quadratic {
    double k0, k1, k2;

    Quadratic(double c0, double c1, double c2)
        : k0((c0 + c1 + c2) * (c0 + c1 + c2)), k1(-4.0 * (c1 * (c0 + c2) + 4.0 * c0 * c2)), k2(16.0 * c0 * c2)
    {
    }

    double at(double phi) const { return k0 + phi * (k2 * phi + k1); }
};

inline double powerGain(const Section& s, double phi)
{
    return Quadratic(s.b0, s.b1, s.b2).at(phi) / Quadratic(1.0, s.a1, s.a2).at(phi);
}

} // namespace fdnlearn
