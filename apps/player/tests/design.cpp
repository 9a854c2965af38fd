// design FIT.json RATE DECAY SIZE: what the core makes of a fit, as JSON. The tests hold it against fdnlearn.fdn.realise.
#include <cstdio>
#include <cstdlib>

#include "files.hpp"
#include "../core/plan.hpp"

using namespace fdnlearn;

static void list(const char* name, const std::vector<double>& values, const char* after = ",")
{
    std::printf("\"%s\": [", name);
    for (std::size_t i = 0; i < values.size(); ++i)
        std::printf("%s%.17g", i ? "," : "", values[i]);
    std::printf("]%s\n", after);
}

int main(int count, char** words)
{
    if (count != 5)
        return 2;
    try {
        const Fit fit = FitReader::read(contents(words[1]));
        const Plan plan(fit, std::atof(words[2]));
        Design design(plan);
        Setting setting;
        setting.decay = std::atof(words[3]);
        setting.size = std::atof(words[4]);
        design.complete(plan, setting);
        const auto doubles = [](const std::vector<int>& values) {
            return std::vector<double>(values.begin(), values.end());
        };
        std::printf("{\"width\": %d, \"sections\": %d, \"outputs\": %d,\n", plan.width, plan.sections(), plan.outputs);
        list("delays", doubles(design.delays));
        list("gains", design.gains);
        list("sos", design.sos);
        list("tone", plan.tone);
        list("lowpass", plan.low);
        std::vector<double> taps; // row, input, delay, gain
        for (const TapGroup& group : plan.groups)
            for (int p = group.first; p < group.first + group.count; ++p)
                taps.insert(taps.end(), {double(group.row), double(group.input),
                                         double(design.tapDelays[std::size_t(p)]), plan.tapGains[std::size_t(p)]});
        list("taps", taps);
        std::printf("\"late\": %d}\n", design.late);
    } catch (const Refusal& refusal) {
        std::fprintf(stderr, "%s\n", refusal.what());
        return 1;
    }
    return 0;
}
