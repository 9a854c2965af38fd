// bound < CASES: for lines "GAIN ALLOWED COUNT b0 b1 b2 a1 a2 ..." whether the core proves the loop filter to stay below.
#include <cstdio>

#include "../core/stability.hpp"

using namespace fdnlearn;

int main()
{
    double gain, allowed;
    int count;
    while (std::scanf("%lf %lf %d", &gain, &allowed, &count) == 3) {
        std::vector<Section> sections;
        for (int s = 0; s < count; ++s) {
            Section section;
            if (std::scanf("%lf %lf %lf %lf %lf", &section.b0, &section.b1, &section.b2, &section.a1, &section.a2) != 5)
                return 1;
            sections.push_back(section);
        }
        std::printf("%d\n", LoopBound::holds(gain, sections, allowed) ? 1 : 0);
    }
    return 0;
}
