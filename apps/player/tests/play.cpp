// play RATE BLOCK IN OUT < SCRIPT: runs the player as a host would, two channels of interleaved floats from file to file.
// A line of the script is "FRAME load FIT.json" or "FRAME set SYMBOL VALUE"; frames ascend, -1 is before audio starts.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>

#include "files.hpp"
#include "../core/player.hpp"

using namespace fdnlearn;

// Where it is linked in, what counts memory and locks is told when audio is being processed.
extern "C" __attribute__((weak)) void audio_thread(int inside);
extern "C" __attribute__((weak)) int audio_thread_offences();

static int failed(const std::string& what)
{
    std::fprintf(stderr, "%s\n", what.c_str());
    return 1;
}

int main(int count, char** words)
{
    if (count != 5)
        return failed("play RATE BLOCK IN OUT < SCRIPT");
    const double rate = std::atof(words[1]);
    const long block = std::atol(words[2]);
    const std::vector<float> in = samples(words[3]);
    const long frames = long(in.size() / 2);
    std::vector<float> out(in.size());
    std::vector<float> x[2], y[2];
    for (int k = 0; k < 2; ++k) {
        x[k].resize(std::size_t(block));
        y[k].resize(std::size_t(block));
    }
    Player player;
    bool started = false;
    long done = 0;
    const auto render = [&](long until) {
        if (!started)
            player.start(rate);
        started = true;
        while (done < until) {
            const long n = until - done < block ? until - done : block;
            for (long t = 0; t < n; ++t)
                for (int k = 0; k < 2; ++k)
                    x[k][std::size_t(t)] = in[std::size_t(2 * (done + t) + k)];
            const float* const from[] = {x[0].data(), x[1].data()};
            float* const to[] = {y[0].data(), y[1].data()};
            if (audio_thread)
                audio_thread(1);
            player.process(from, to, int(n));
            if (audio_thread)
                audio_thread(0);
            for (long t = 0; t < n; ++t)
                for (int k = 0; k < 2; ++k)
                    out[std::size_t(2 * (done + t) + k)] = y[k][std::size_t(t)];
            done += n;
        }
    };
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream text(line);
        text.imbue(std::locale::classic());
        long frame = 0;
        std::string verb, name;
        double value = 0.0;
        if (!(text >> frame >> verb >> name))
            return failed("script: " + line);
        if (frame >= 0)
            render(frame < frames ? frame : frames);
        if (verb == "load") {
            try {
                player.load(std::make_shared<const Fit>(FitReader::read(contents(name.c_str()))));
            } catch (const Refusal& refusal) {
                return failed(refusal.what());
            }
        } else if (verb == "set" && text >> value) {
            for (int c = 0; c < controlCount; ++c)
                if (name == controlRanges[c].symbol)
                    player.set(c, float(value));
        } else {
            return failed("script: " + line);
        }
    }
    render(frames);
    save(words[4], out);
    if (audio_thread_offences && audio_thread_offences() > 0)
        return failed("memory or locks in the audio thread");
    return 0;
}
