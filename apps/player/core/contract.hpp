// A fit as docs/format.md describes it, as far as a stereo plugin plays it.
#pragma once

#include <string>
#include <vector>

namespace fdnlearn {

constexpr int mostLines = 64; // as many as a fit has at most
constexpr int mostChannels = 2;
constexpr int mostKnots = 64;
constexpr int mostTones = 64;
constexpr int longestHead = 1 << 16; // samples, at the fit's rate
constexpr int longestDelay = 1 << 22; // samples, at the fit's rate
constexpr double mostDelayMemory = 1 << 26; // samples, at the rate it plays at
constexpr double largestGain = 1e6; // beyond this single precision would not last

struct ToneSection {
    enum class Type { peaking, lowShelf, highShelf };
    Type type;
    double frequency, gainDb, q;
};

struct Tap {
    double samples, gain;
};

// An early path: sparse taps, or coefficients one sample apart.
struct EarlyPath {
    int output, input;
    bool dense;
    std::vector<Tap> taps; // of a dense path samples 0, 1, 2 ...
};

// The first samples of a path, from before the direct sound's flank on.
struct HeadPath {
    int output, input;
    std::vector<double> coefficients;
};

// What a line loses: a gain a line where the family has no name, otherwise times at knots for groups of lines.
struct AbsorptionData {
    std::string family;
    std::vector<double> gains;
    std::vector<double> frequencies;
    std::vector<std::vector<double>> times;
    std::vector<int> groups;
};

// Matrices are rows of rows. N lines, I inputs, O outputs.
struct Fit {
    using Matrix = std::vector<std::vector<double>>;

    double rate = 0.0;
    std::vector<double> delays; // N
    Matrix feedback, inputs, outputs, direct; // N x N, N x I, O x N, O x I
    AbsorptionData absorption;
    std::vector<ToneSection> tone;
    std::vector<EarlyPath> early;
    std::vector<HeadPath> head;
    double directPeak = 0.0; // where the head has its direct sound, which everything else counts from
    double lateDelay = 0.0, preDelaySeconds = 0.0, gain = 1.0; // gain has the polarity in it

    int lineCount() const { return static_cast<int>(delays.size()); }
    int inputCount() const { return static_cast<int>(direct.front().size()); }
    int outputCount() const { return static_cast<int>(direct.size()); }
};

} // namespace fdnlearn
