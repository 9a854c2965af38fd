// bench FIT.json RATE SECONDS BLOCK: seconds of processor time that loading takes and that a second of noise takes,
// each the median of seven.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>

#include "files.hpp"
#include "../core/player.hpp"

using namespace fdnlearn;

static double now()
{
    return double(std::clock()) / CLOCKS_PER_SEC;
}

int main(int count, char** words)
{
    if (count != 5)
        return 2;
    const std::string text = contents(words[1]);
    const double rate = std::atof(words[2]), seconds = std::atof(words[3]);
    const int block = std::atoi(words[4]);
    std::vector<double> loading, playing;
    std::mt19937 random(1);
    std::uniform_real_distribution<float> noise(-1.0f, 1.0f);
    std::vector<float> x[2], y[2];
    for (int k = 0; k < 2; ++k) {
        x[k].resize(std::size_t(block));
        y[k].resize(std::size_t(block));
        std::generate(x[k].begin(), x[k].end(), [&] { return noise(random); });
    }
    const float* const in[] = {x[0].data(), x[1].data()};
    float* const out[] = {y[0].data(), y[1].data()};
    for (int repeat = 0; repeat < 7; ++repeat) {
        Player player;
        double start = now();
        player.load(std::make_shared<const Fit>(FitReader::read(text)));
        player.start(rate);
        loading.push_back(now() - start);
        start = now();
        for (double done = 0; done < seconds * rate; done += block)
            player.process(in, out, block);
        playing.push_back((now() - start) / seconds);
    }
    std::sort(loading.begin(), loading.end());
    std::sort(playing.begin(), playing.end());
    std::printf("%.6f %.6f\n", loading[3], playing[3]);
    return 0;
}
