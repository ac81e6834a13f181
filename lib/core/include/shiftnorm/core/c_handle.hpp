#pragma once

#include <memory>

namespace shiftnorm {

/// Owns what a C library hands out. The closing function is in the type: one kind of handle cannot be closed as
/// another.
template <auto Close>
struct CloseWith {
  template <class T>
  void operator()(T* handle) const {
    Close(handle);
  }
};
template <class T, auto Close>
using CHandle = std::unique_ptr<T, CloseWith<Close>>;

}  // namespace shiftnorm
