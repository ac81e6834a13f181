#pragma once

#include <array>
#include <cstdint>
#include <dnnl.hpp>
#include <string>
#include <utility>
#include <vector>

#include "kernel.hpp"
#include "layout.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/shape.hpp"

namespace shiftnorm::exec {

/// The one CPU engine of the process.
[[nodiscard]] inline const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

[[nodiscard]] inline dnnl::memory::desc memory_desc(const Shape& shape, std::int64_t block) {
  using tag = dnnl::memory::format_tag;
  static constexpr std::array<std::array<tag, 3>, 3> kTags{{{tag::ncw, tag::nchw, tag::ncdhw},
                                                            {tag::nCw8c, tag::nChw8c, tag::nCdhw8c},
                                                            {tag::nCw16c, tag::nChw16c, tag::nCdhw16c}}};
  if (shape.rank() < 3 || shape.rank() > 5)
    throw UnsupportedError("shape " + shape.text() + "; expected one to three spatial axes");
  const std::size_t kind = block == 1 ? 0 : block == 8 ? 1 : 2;
  return {shape.extents(), dnnl::memory::data_type::f32, kTags[kind][shape.rank() - 3]};
}

/// The memory objects of one primitive for one worker: handles are set before every execution, so that nothing is
/// allocated per image.
class BoundPrimitive {
 public:
  explicit BoundPrimitive(const dnnl::primitive& primitive) : primitive_(primitive), stream_(cpu_engine()) {}

  /// data: fixed for good (weights), or null: given to run() in the order of binding.
  void bind(int argument, const dnnl::memory::desc& desc, void* data = nullptr) {
    memories_.emplace_back(desc, cpu_engine(), data);
    arguments_.push_back({argument, memories_.back().get()});
    if (data == nullptr) open_.push_back(memories_.size() - 1);
  }

  template <class... Pointers>
  void run(Pointers*... data) {
    std::size_t next = 0;
    // oneDNN takes sources as void*; it does not write through them.
    (set(next++, const_cast<void*>(static_cast<const void*>(data))), ...);
    check(dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()),
                                 arguments_.data()));
  }

 private:
  void set(std::size_t next, void* data) {
    if (next < open_.size()) check(dnnl_memory_set_data_handle(memories_[open_[next]].get(), data));
  }
  static void check(dnnl_status_t status) {
    if (status != dnnl_success)
      throw Error("oneDNN: execution failed with status " + std::to_string(static_cast<int>(status)));
  }

  dnnl::primitive primitive_;
  dnnl::stream stream_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::vector<std::size_t> open_;
};

/// Attributes of every primitive: scratch memory comes from the worker.
[[nodiscard]] inline dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// A kernel that is one oneDNN primitive from one source to one destination.
template <class Primitive>
class PrimitiveKernel : public Kernel {
 public:
  explicit PrimitiveKernel(const typename Primitive::primitive_desc& pd) : pd_(pd), primitive_(pd) {}

  std::size_t scratch_bytes() const override { return pd_.scratchpad_desc().get_size(); }

  std::shared_ptr<void> make_worker_state() const override {
    auto bound = std::make_shared<BoundPrimitive>(primitive_);
    bound->bind(DNNL_ARG_SRC, pd_.src_desc());
    bound->bind(DNNL_ARG_DST, pd_.dst_desc());
    bound->bind(DNNL_ARG_SCRATCHPAD, pd_.scratchpad_desc());
    bind_constants(*bound);
    return bound;
  }

  void run(const KernelArguments& a) const override {
    static_cast<BoundPrimitive*>(a.worker_state)->run(a.src[0], a.dst, a.scratch);
  }

 protected:
  [[nodiscard]] const typename Primitive::primitive_desc& pd() const { return pd_; }

 private:
  /// Arguments that are the same for every image: weights.
  virtual void bind_constants(BoundPrimitive& /*bound*/) const {}

  typename Primitive::primitive_desc pd_;
  Primitive primitive_;
};

}  // namespace shiftnorm::exec
