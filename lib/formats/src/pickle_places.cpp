#include "pickle_places.hpp"

#include <algorithm>

#include "budget.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Dict, pickle::Heap, pickle::Id, pickle::Object, pickle::Sequence;

constexpr std::size_t kMaxPickleDepth = 64, kMaxPath = 4096, kMaxAgain = 4096;

bool worth_a_place(const Heap& heap, Id id) {
  const pickle::Value& value = heap.at(id);
  return std::holds_alternative<Dict>(value) || std::holds_alternative<Object>(value) ||
         std::holds_alternative<pickle::ClassName>(value) || std::holds_alternative<pickle::TensorRef>(value) ||
         (std::holds_alternative<Sequence>(value) && id != Heap::kEmptyTupleId);
}

/// How much there is to look through in a value, for its children and for what its attributes and items say of it.
std::size_t extent(const Heap& heap, Id id) {
  const auto* object = heap.get<Object>(id);
  if (object == nullptr) return heap.extent(id);
  std::size_t sum = 0;
  for (const Id part : {object->items, object->elements, object->state, object->arguments}) sum += heap.extent(part);
  const Dict* attributes = heap.attributes(id);
  return sum + (attributes == nullptr ? 0 : attributes->items.size());
}

/// Calls add(place) for what lies directly in a value.
template <class Add>
class Children {
 public:
  Children(const Heap& heap, const Add& add) : heap_(heap), add_(add) {}

  void of(Id id) const {
    const auto* object = heap_.get<Object>(id);
    if (object == nullptr) return of_container(id);
    for (const Id part : {object->items, object->elements, object->state}) of_container(part);
    const auto* given = heap_.get<Sequence>(object->arguments);
    if (given != nullptr && given->items.size() == 1)
      add_(Place{.id = given->items[0], .unnamed = true});
    else
      of_container(object->arguments);
  }

 private:
  void of_container(Id id) const {
    if (const auto* dict = heap_.get<Dict>(id)) of_dict(*dict);
    if (const auto* sequence = heap_.get<Sequence>(id))
      for (std::size_t i = 0; i < sequence->items.size(); ++i) add_(Place{.id = sequence->items[i], .number = i});
  }
  void of_dict(const Dict& dict) const {
    for (std::size_t i = 0; i < dict.items.size(); ++i) {
      const auto& [key, value] = dict.items[i];
      Place place{.id = value, .number = i};
      if (const auto* text = heap_.get<std::string>(key)) place.name = *text;
      if (const auto* number = heap_.get<std::int64_t>(key)) place.number = static_cast<std::size_t>(*number);
      add_(place);
      add_(Place{.id = key, .number = i});  // a class, an enumerator
    }
  }

  const Heap& heap_;
  const Add& add_;
};

}  // namespace

std::vector<Place> places_in(const Heap& heap, Id root, const std::function<bool(const Place&)>& enter,
                             const std::function<bool(Id)>& open) {
  std::vector<Place> places{{.id = root}};
  std::vector<bool> seen(heap.size());
  seen[root] = true;
  std::size_t again = 0;
  // Containers may have grown after the heap counted them as part of many objects.
  Budget budget("pickle: its objects share more values than those of any checkpoint");
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place parent = places[i];
    if (parent.again) continue;
    budget.spend(extent(heap, parent.id));
    if (parent.depth >= kMaxPickleDepth || !open(parent.id)) continue;
    const auto add = [&](Place place) {
      if (!worth_a_place(heap, place.id)) return;
      place.parent = i;
      place.depth = parent.depth + (place.unnamed ? 0 : 1);
      if (!enter(place)) return;
      place.again = seen[place.id];
      seen[place.id] = true;
      if (place.again && (place.name.empty() || ++again > kMaxAgain)) return;
      places.push_back(place);
    };
    Children(heap, add).of(parent.id);
  }
  return places;
}

std::string path_of(const std::vector<Place>& places, std::size_t place) {
  std::vector<std::size_t> way;
  for (std::size_t at = place; places[at].parent != at; at = places[at].parent) way.push_back(at);
  std::string path;
  for (auto at = way.rbegin(); at != way.rend() && path.size() < kMaxPath; ++at) {
    const Place& part = places[*at];
    if (part.unnamed) continue;
    if (!path.empty()) path += '.';
    path += part.name.empty() ? std::to_string(part.number) : std::string(part.name.substr(0, kMaxPath));
  }
  return path;
}

}  // namespace shiftnorm::formats
