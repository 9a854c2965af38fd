// A dense early part at another sample rate.
#pragma once

#include <cmath>
#include <vector>

#include "biquads.hpp"

namespace fdnlearn {

// Modified Bessel function of the first kind, order 0, by its power series: all terms are positive.
inline double besselI0(double x)
{
    double term = 1.0, sum = 1.0;
    for (int k = 1; term > 1e-18 * sum; ++k) {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

// By how many samples a resampled response begins before its time zero.
inline int firLatency(double fitRate, double rate)
{
    return fitRate == rate ? 0 : static_cast<int>(std::ceil(32.0 * std::fmax(rate / fitRate, 1.0)));
}

// c'[k] = sum_n c[n] h(k - n r) for k from -firLatency on; h is a sinc of 32 zero crossings in a Kaiser window.
inline std::vector<double> resampled(const std::vector<double>& coefficients, double fitRate, double rate)
{
    if (fitRate == rate || coefficients.empty())
        return coefficients;
    const double ratio = rate / fitRate, cutoff = std::fmin(1.0, 1.0 / ratio);
    const int before = firLatency(fitRate, rate);
    const int length = 2 * before + static_cast<int>(std::floor(double(coefficients.size() - 1) * ratio)) + 1;
    std::vector<double> response(static_cast<std::size_t>(length));
    for (std::size_t n = 0; n < coefficients.size(); ++n) {
        const int nearest = static_cast<int>(std::floor(double(n) * ratio));
        for (int k = std::max(nearest - before - 1, -before); k <= nearest + before + 1 && k < length - before; ++k) {
            const double t = cutoff * (k - double(n) * ratio);
            if (std::fabs(t) > 32.0)
                continue;
            const double sinc = t == 0.0 ? 1.0 : std::sin(pi * t) / (pi * t);
            response[static_cast<std::size_t>(k + before)] +=
                coefficients[n] * cutoff * sinc * besselI0(9.0 * std::sqrt(1.0 - t / 32.0 * (t / 32.0))) /
                besselI0(9.0);
        }
    }
    return response;
}

} // namespace fdnlearn
