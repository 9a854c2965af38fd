// Files as the test programs need them.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

inline std::string contents(const char* path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Frames of interleaved floats.
inline std::vector<float> samples(const char* path)
{
    const std::string bytes = contents(path);
    const auto* const first = reinterpret_cast<const float*>(bytes.data());
    return {first, first + bytes.size() / sizeof(float)};
}

inline void save(const char* path, const std::vector<float>& samples)
{
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(samples.data()), std::streamsize(samples.size() * sizeof(float)));
}
