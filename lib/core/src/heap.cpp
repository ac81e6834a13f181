#include "shiftnorm/core/heap.hpp"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace shiftnorm {

void keep_freed_memory() {
#ifdef __GLIBC__
  // NOLINTBEGIN(concurrency-mt-unsafe): called before the first thread starts.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc takes
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  // NOLINTEND(concurrency-mt-unsafe)
#endif
}

}  // namespace shiftnorm
