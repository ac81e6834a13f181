#pragma once

namespace shiftnorm {

/// Lets this process keep up to 64 MiB of freed memory for the next picture. Without it, blocks of a picture's size go
/// back to the system each time, and fresh pages cost more than decoding into them. For the start of a program: it
/// holds for the whole process.
void keep_freed_memory();

}  // namespace shiftnorm
