#include "bare_convolutions.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <dnnl.hpp>
#include <thread>
#include <vector>

#include "shiftnorm/core/aligned.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::bench {
namespace {

using dnnl::memory;

struct Convolution {
  dnnl::convolution_forward::primitive_desc pd;
  dnnl::convolution_forward primitive;
  AlignedVector<float> weights;
};

/// What one thread binds: two activation buffers that are read and written in turn, as in a chain of layers.
struct Worker {
  AlignedVector<float> a, b, scratch;
  std::vector<std::vector<dnnl_exec_arg_t>> arguments;
  std::vector<memory> memories;
  dnnl::stream stream;
};

}  // namespace

struct BareConvolutions::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<Convolution> convolutions;
  std::vector<Worker> workers;
  double flops = 0;
};

BareConvolutions::BareConvolutions(const graph::Graph& graph, int threads) : state_(new State) {
  omp_set_num_threads(1);
  for (const graph::Node& node : graph.nodes()) {
    if (node.op != "Conv") continue;
    const Shape &src = *graph.value(node.inputs[0]).shape, &weights = *graph.value(node.inputs[1]).shape,
                &dst = *graph.value(node.outputs[0]).shape;
    const std::vector<std::int64_t> kernel(weights.extents().begin() + 2, weights.extents().end()),
        spatial(src.extents().begin() + 2, src.extents().end());
    graph::Window w = graph::window_of(node, kernel, spatial);
    memory::dims dims = weights.extents(), dilations = w.dilations;
    const std::int64_t groups = node.integer("group", 1);
    if (groups > 1) {
      dims[0] /= groups;
      dims.insert(dims.begin(), groups);
    }
    for (std::int64_t& d : dilations) --d;
    const auto any = memory::format_tag::any;
    const auto f32 = memory::data_type::f32;
    const memory::desc s(src.extents(), f32, src[1] <= 3 ? memory::format_tag::nchw : any), k(dims, f32, any),
        d(dst.extents(), f32, any);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                               s, k, d, w.strides, dilations, w.pads_begin, w.pads_end);
    Convolution c;
    c.pd = {desc, attributes, state_->engine};
    c.primitive = dnnl::convolution_forward(c.pd);
    c.weights.assign(c.pd.weights_desc().get_size() / sizeof(float), 0.01f);
    state_->convolutions.push_back(std::move(c));
    state_->flops += 2.0 * static_cast<double>(weights.elements()) * static_cast<double>(dst.elements_from(2));
  }
  std::size_t activation = 0, scratch = 0;
  for (const Convolution& c : state_->convolutions) {
    activation = std::max({activation, c.pd.src_desc().get_size(), c.pd.dst_desc().get_size()});
    scratch = std::max(scratch, c.pd.scratchpad_desc().get_size());
  }
  for (int t = 0; t < threads; ++t) {
    Worker worker;
    worker.a.assign(activation / sizeof(float), 0.5f);
    worker.b.assign(activation / sizeof(float), 0.5f);
    worker.scratch.resize(scratch / sizeof(float) + 1);
    worker.stream = dnnl::stream(state_->engine);
    bool forth = true;
    for (Convolution& c : state_->convolutions) {
      std::vector<dnnl_exec_arg_t> arguments;
      const auto bind = [&](int index, const memory::desc& desc, float* data) {
        worker.memories.emplace_back(desc, state_->engine, data);
        arguments.push_back({index, worker.memories.back().get()});
      };
      bind(DNNL_ARG_SRC, c.pd.src_desc(), forth ? worker.a.data() : worker.b.data());
      bind(DNNL_ARG_DST, c.pd.dst_desc(), forth ? worker.b.data() : worker.a.data());
      bind(DNNL_ARG_WEIGHTS, c.pd.weights_desc(), c.weights.data());
      bind(DNNL_ARG_SCRATCHPAD, c.pd.scratchpad_desc(), worker.scratch.data());
      worker.arguments.push_back(std::move(arguments));
      forth = !forth;
    }
    state_->workers.push_back(std::move(worker));
  }
}

BareConvolutions::~BareConvolutions() { delete state_; }

double BareConvolutions::flops_per_image() const { return state_->flops; }

double BareConvolutions::rate(std::size_t images) {
  const auto start = std::chrono::steady_clock::now();
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (Worker& worker : state_->workers) {
      threads.emplace_back([&, this] {
        omp_set_num_threads(1);
        while (next++ < images) {
          for (std::size_t i = 0; i < state_->convolutions.size(); ++i)
            dnnl_primitive_execute(state_->convolutions[i].primitive.get(), worker.stream.get(),
                                   static_cast<int>(worker.arguments[i].size()), worker.arguments[i].data());
        }
      });
    }
  }
  return static_cast<double>(images) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace shiftnorm::bench
