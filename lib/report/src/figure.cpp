#include "figure.hpp"

#include <fmt/format.h>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {

std::string figures_html(const std::vector<Figure>& figures, std::string_view style) {
  if (figures.empty()) return {};
  std::string out = fmt::format("<div class=\"figures{}{}\">\n", style.empty() ? "" : " ", style);
  for (const Figure& figure : figures) {
    out += fmt::format("<figure><figcaption>{}{}</figcaption>\n{}", html(figure.caption),
                       figure.note.empty() ? "" : fmt::format(" <span class=\"quiet\">{}</span>", html(figure.note)),
                       "<div class=\"picture\">" + figure.svg + "</div>\n");
    if (!figure.numbers.empty())
      out += fmt::format("<details><summary>Numbers</summary>\n{}</details>\n",
                         boxed_table("numbers sortable untitled", figure.caption, figure.numbers));
    out += "</figure>\n";
  }
  return out + "</div>\n";
}

std::string standalone(const Figure& figure) {
  const std::size_t open = figure.svg.find('>');
  return fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" {}>)"
                     "<style>{}</style><rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{}",
                     figure.svg.substr(5, open - 5), picture_style(), figure.svg.substr(open + 1));
}

std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain)
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? "unnamed" : out.substr(0, 60);
}

}  // namespace shiftnorm::report
