// The player's version. What exports ask for is the first number, and at least the second.
#pragma once

#define FDNLEARN_PLAYER_MAJOR 1
#define FDNLEARN_PLAYER_MINOR 1
#define FDNLEARN_PLAYER_PATCH 0
// Stands in every binary, so that its version can be read without loading it.
#define FDNLEARN_PLAYER_MARK "fdnlearn-player/1.1.0"
