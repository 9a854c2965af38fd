// A fit out of its JSON. Whatever the text holds, the outcome is a valid fit or a refusal.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "contract.hpp"
#include "json.hpp"
#include "refusal.hpp"

namespace fdnlearn {

class FitReader {
public:
    static Fit read(std::string_view text)
    {
        const Json document = JsonReader::read(text);
        if (document.kind != Json::Kind::object)
            throw Refusal("fit", "holds no JSON object");
        const Json* const format = document.find("format");
        if (!format || format->text != "fdnlearn.fdn")
            throw Refusal("format", "is not fdnlearn.fdn");
        const double version = whole(need(document, "version"), "version", 1, 1e9);
        if (version > 2)
            throw Refusal("version", "was written by a newer fdnlearn");
        if (version < 2 && (document.find("head") || document.find("direct_peak_samples")))
            throw Refusal("head", "is not part of version 1");
        only(document, "fit",
             {"format", "version", "sample_rate_hz", "delays_samples", "feedback_matrix", "input_gains", "output_gains",
              "direct_gains", "absorption", "tone", "early", "head", "direct_peak_samples", "late_delay_samples", "pre_delay_s",
              "gain", "polarity", "provenance"});
        Fit fit;
        fit.rate = whole(need(document, "sample_rate_hz"), "sample_rate_hz", 1000, 768000);
        fit.delays = numbers(need(document, "delays_samples"), "delays_samples", 1.0, longestDelay);
        if (fit.delays.empty() || fit.delays.size() > mostLines)
            throw Refusal("delays_samples", "the player carries 1 to 64 delay lines");
        const std::size_t n = fit.delays.size();
        fit.direct = matrix(need(document, "direct_gains"), "direct_gains");
        if (fit.direct.size() > mostChannels || fit.direct.front().size() > mostChannels)
            throw Refusal("direct_gains", "the player carries two inputs and two outputs");
        const std::size_t inputs = fit.direct.front().size(), outputs = fit.direct.size();
        fit.feedback = matrix(need(document, "feedback_matrix"), "feedback_matrix", n, n);
        fit.inputs = matrix(need(document, "input_gains"), "input_gains", n, inputs);
        fit.outputs = matrix(need(document, "output_gains"), "output_gains", outputs, n);
        checkOrthogonal(fit.feedback);
        fit.absorption = absorption(need(document, "absorption"), n);
        if (const Json* const tone = document.find("tone"))
            fit.tone = toneSections(*tone, fit.rate);
        if (const Json* const early = document.find("early"))
            fit.early = earlyPaths(*early, outputs, inputs);
        if (const Json* const head = document.find("head"))
            fit.head = headPaths(*head, outputs, inputs);
        if (const Json* const peak = document.find("direct_peak_samples"))
            fit.directPeak = whole(*peak, "direct_peak_samples", 0, longestHead - 1);
        checkPeak(fit);
        if (const Json* const late = document.find("late_delay_samples"))
            fit.lateDelay = whole(*late, "late_delay_samples", 0, longestDelay);
        if (const Json* const pre = document.find("pre_delay_s"))
            fit.preDelaySeconds = real(*pre, "pre_delay_s", 0.0, 10.0);
        if (const Json* const gain = document.find("gain"))
            fit.gain = real(*gain, "gain", 1e-300, largestGain);
        if (const Json* const polarity = document.find("polarity")) {
            if (whole(*polarity, "polarity", -1, 1) == 0)
                throw Refusal("polarity", "is 0");
            fit.gain *= polarity->number;
        }
        return fit;
    }

    // Most by which an entry of U U^T differs from the identity's: what decides how far U may stretch a signal.
    static double orthogonalityError(const Fit::Matrix& u)
    {
        double worst = 0.0;
        for (std::size_t i = 0; i < u.size(); ++i)
            for (std::size_t j = 0; j <= i; ++j) {
                double sum = i == j ? -1.0 : 0.0;
                for (std::size_t k = 0; k < u.size(); ++k)
                    sum += u[i][k] * u[j][k];
                worst = std::fmax(worst, std::fabs(sum));
            }
        return worst;
    }

private:
    static const Json& need(const Json& object, const char* key)
    {
        const Json* const found = object.find(key);
        if (!found)
            throw Refusal(key, "is missing");
        return *found;
    }

    static void only(const Json& object, const char* name, std::initializer_list<std::string_view> known)
    {
        if (object.kind != Json::Kind::object)
            throw Refusal(name, "is not an object");
        for (const std::string& key : object.keys) {
            bool found = false;
            for (const std::string_view one : known)
                found = found || one == key;
            if (!found)
                throw Refusal(name, "has a field that is not of the format");
        }
    }

    static double real(const Json& json, const char* name, double least, double most)
    {
        if (json.kind != Json::Kind::number || !(json.number >= least && json.number <= most))
            throw Refusal(name, "is not a number in its range");
        return json.number;
    }

    static double whole(const Json& json, const char* name, double least, double most)
    {
        if (json.kind != Json::Kind::number || !json.whole)
            throw Refusal(name, "is not a whole number");
        return real(json, name, least, most);
    }

    static const std::vector<Json>& items(const Json& json, const char* name)
    {
        if (json.kind != Json::Kind::array)
            throw Refusal(name, "is not an array");
        return json.items;
    }

    static std::vector<double> numbers(const Json& json, const char* name, double least, double most)
    {
        std::vector<double> values;
        for (const Json& item : items(json, name))
            values.push_back(real(item, name, least, most));
        return values;
    }

    static Fit::Matrix matrix(const Json& json, const char* name, std::size_t rows = 0, std::size_t columns = 0)
    {
        Fit::Matrix values;
        for (const Json& row : items(json, name))
            values.push_back(numbers(row, name, -largestGain, largestGain));
        if (values.empty() || values.front().empty() || (rows && values.size() != rows))
            throw Refusal(name, "has the wrong number of rows");
        for (const auto& row : values)
            if (row.size() != (columns ? columns : values.front().size()))
                throw Refusal(name, "has rows of the wrong length");
        return values;
    }

    static void checkOrthogonal(const Fit::Matrix& u)
    {
        if (!(orthogonalityError(u) <= 1e-6))
            throw Refusal("feedback_matrix", "is not orthogonal");
    }

    static AbsorptionData absorption(const Json& json, std::size_t lines)
    {
        AbsorptionData data;
        const std::string kind = json.kind == Json::Kind::object ? need(json, "kind").text : "";
        if (kind == "per_line_gain") {
            only(json, "absorption", {"kind", "gains"});
            data.gains = numbers(need(json, "gains"), "absorption.gains", 0.0, std::nextafter(1.0, 0.0));
            if (data.gains.size() != lines)
                throw Refusal("absorption.gains", "is not one a line");
            return data;
        }
        if (kind != "reverberation_time")
            throw Refusal("absorption.kind", "is unknown");
        only(json, "absorption", {"kind", "family", "frequencies_hz", "times_s", "line_groups"});
        data.family = need(json, "family").text;
        if (data.family.empty())
            throw Refusal("absorption.family", "is not a name");
        data.frequencies = numbers(need(json, "frequencies_hz"), "absorption.frequencies_hz", 1e-300, 1e300);
        if (data.frequencies.empty() || data.frequencies.size() > mostKnots)
            throw Refusal("absorption.frequencies_hz", "has none or more than 64 knots");
        for (std::size_t k = 1; k < data.frequencies.size(); ++k)
            if (!(data.frequencies[k] > data.frequencies[k - 1]))
                throw Refusal("absorption.frequencies_hz", "is not strictly increasing");
        for (const Json& row : items(need(json, "times_s"), "absorption.times_s")) {
            data.times.push_back(numbers(row, "absorption.times_s", 1e-3, 1e3));
            if (data.times.back().size() != data.frequencies.size())
                throw Refusal("absorption.times_s", "is not one time a frequency");
        }
        for (const Json& group : items(need(json, "line_groups"), "absorption.line_groups"))
            data.groups.push_back(
                static_cast<int>(whole(group, "absorption.line_groups", 0, double(data.times.size()) - 1.0)));
        if (data.groups.size() != lines)
            throw Refusal("absorption.line_groups", "is not one a line");
        return data;
    }

    static std::vector<ToneSection> toneSections(const Json& json, double rate)
    {
        std::vector<ToneSection> sections;
        for (const Json& item : items(json, "tone")) {
            only(item, "tone", {"type", "frequency_hz", "gain_db", "q"});
            const std::string& type = need(item, "type").text;
            if (type != "peaking" && type != "low_shelf" && type != "high_shelf")
                throw Refusal("tone.type", "is unknown");
            sections.push_back({type == "peaking"     ? ToneSection::Type::peaking
                                : type == "low_shelf" ? ToneSection::Type::lowShelf
                                                      : ToneSection::Type::highShelf,
                                real(need(item, "frequency_hz"), "tone.frequency_hz", 1e-300, rate / 2.0),
                                real(need(item, "gain_db"), "tone.gain_db", -60.0, 60.0),
                                real(need(item, "q"), "tone.q", 0.01, 100.0)});
            if (sections.back().frequency >= rate / 2.0)
                throw Refusal("tone.frequency_hz", "is not below half the sample rate");
        }
        if (sections.size() > mostTones)
            throw Refusal("tone", "has more than 64 sections");
        return sections;
    }

    static std::vector<HeadPath> headPaths(const Json& json, std::size_t outputs, std::size_t inputs)
    {
        std::vector<HeadPath> paths;
        for (const Json& item : items(json, "head")) {
            only(item, "head", {"output", "input", "coefficients"});
            HeadPath path{static_cast<int>(whole(need(item, "output"), "head.output", 0, double(outputs) - 1.0)),
                          static_cast<int>(whole(need(item, "input"), "head.input", 0, double(inputs) - 1.0)),
                          numbers(need(item, "coefficients"), "head.coefficients", -largestGain, largestGain)};
            if (path.coefficients.empty() || path.coefficients.size() > longestHead)
                throw Refusal("head.coefficients", "the player carries 1 to 65536 of them");
            paths.push_back(path);
        }
        return paths;
    }

    static void checkPeak(const Fit& fit)
    {
        std::size_t longest = 1;
        for (const HeadPath& path : fit.head)
            longest = std::max(longest, path.coefficients.size());
        if (fit.directPeak >= double(longest))
            throw Refusal("direct_peak_samples", "is not within the head");
    }

    static std::vector<EarlyPath> earlyPaths(const Json& json, std::size_t outputs, std::size_t inputs)
    {
        std::vector<EarlyPath> paths;
        for (const Json& item : items(json, "early")) {
            if (item.kind != Json::Kind::object)
                throw Refusal("early", "is not an array of objects");
            const bool dense = need(item, "kind").text == "fir";
            if (!dense && need(item, "kind").text != "sparse")
                throw Refusal("early.kind", "is unknown");
            only(item, "early", {"kind", "output", "input", dense ? "coefficients" : "taps"});
            EarlyPath path{static_cast<int>(whole(need(item, "output"), "early.output", 0, double(outputs) - 1.0)),
                           static_cast<int>(whole(need(item, "input"), "early.input", 0, double(inputs) - 1.0)),
                           dense,
                           {}};
            if (dense) {
                const auto gains =
                    numbers(need(item, "coefficients"), "early.coefficients", -largestGain, largestGain);
                for (std::size_t at = 0; at < gains.size(); ++at)
                    path.taps.push_back({double(at), gains[at]});
            } else {
                for (const Json& tap : items(need(item, "taps"), "early.taps")) {
                    only(tap, "early.taps", {"samples", "gain"});
                    path.taps.push_back({whole(need(tap, "samples"), "early.taps.samples", 0, longestDelay),
                                         real(need(tap, "gain"), "early.taps.gain", -largestGain, largestGain)});
                }
            }
            if (path.taps.size() > std::size_t{1} << 20)
                throw Refusal("early", "has more than 2^20 taps in a path");
            paths.push_back(std::move(path));
        }
        return paths;
    }
};

} // namespace fdnlearn
