// stress MOVES FIT.json...: random loads, broken texts, parameter moves and blocks, compiled with sanitizers. Everything
// heard must be finite. With a second thread that loads and moves while audio runs where MOVES is negative.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <thread>

#include "files.hpp"
#include "../core/player.hpp"

using namespace fdnlearn;

namespace {

std::mt19937 dice(1);

double draw(double low, double high)
{
    return std::uniform_real_distribution<double>(low, high)(dice);
}

std::size_t pick(std::size_t count)
{
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(dice);
}

// A fit's text as it was, or damaged: bytes changed, cut off, a number replaced.
std::string state(const std::vector<std::string>& fits)
{
    std::string text = fits[pick(fits.size())];
    static const std::string odd[] = {"1e308", "-1e308", "0",    "1e-320", "65536", "0.999999999", "-7",
                                      "null",  "[]",     "1e400", "{}",     "1e5",   "\"x\"",       "-0.5"};
    switch (pick(10)) {
    case 0:
        text[pick(text.size())] = static_cast<char>(pick(256));
        break;
    case 1:
        text.resize(pick(text.size()));
        break;
    case 2:
    case 3: {
        const std::size_t at = text.find_first_of("0123456789", pick(text.size()));
        if (at != text.npos)
            text.replace(at, text.find_first_not_of("0123456789.e-", at) - at, odd[pick(std::size(odd))]);
        break;
    }
    default:
        break;
    }
    return text;
}

bool load(Player& player, const std::string& text)
{
    try {
        player.load(std::make_shared<const Fit>(FitReader::read(text)));
        return true;
    } catch (const Refusal&) {
        return false;
    }
}

void move(Player& player)
{
    static const float odd[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity(), 1e30f, -1e30f, 0.0f};
    const int control = static_cast<int>(pick(controlCount));
    const ControlRange& range = controlRanges[control];
    player.set(control, pick(8) ? float(draw(range.least, range.most)) : odd[pick(std::size(odd))]);
}

bool hear(Player& player)
{
    std::vector<float> x[2], y[2];
    const std::size_t frames = 1 + pick(100);
    for (int k = 0; k < 2; ++k) {
        x[k].resize(frames);
        y[k].resize(frames);
        for (float& sample : x[k])
            sample = pick(500) ? float(draw(-1.0, 1.0)) : std::numeric_limits<float>::quiet_NaN();
    }
    const float* const in[] = {x[0].data(), x[1].data()};
    float* const out[] = {y[0].data(), y[1].data()};
    player.process(in, out, int(frames));
    for (int k = 0; k < 2; ++k)
        for (const float sample : y[k])
            if (!std::isfinite(sample))
                return false;
    return true;
}

} // namespace

int main(int count, char** words)
{
    std::vector<std::string> fits;
    for (int i = 2; i < count; ++i)
        fits.push_back(contents(words[i]));
    const long moves = count > 2 ? std::atol(words[1]) : 0;
    static const double rates[] = {8000, 44100, 48000, 96000};
    long loaded = 0, refused = 0;
    Player player;
    player.start(rates[2]);
    std::atomic<bool> stop{false};
    bool finite = true;
    if (moves < 0) {
        std::thread loader([&] {
            for (long i = 0; i < -moves; ++i) {
                load(player, fits[std::size_t(i) % fits.size()]);
                player.set(int(i % controlCount), controlRanges[i % controlCount].most);
            }
            stop = true;
        });
        while (!stop)
            finite = finite && hear(player);
        loader.join();
    }
    for (long i = 0; i < moves && finite; ++i) {
        if (pick(2))
            load(player, state(fits)) ? ++loaded : ++refused;
        else
            move(player);
        if (pick(500) == 0)
            player.start(rates[pick(std::size(rates))]);
        finite = hear(player);
    }
    std::printf("%ld loaded, %ld refused, %s\n", loaded, refused, finite ? "finite" : "NOT FINITE");
    return finite ? 0 : 1;
}
