#include "document.hpp"

#include <fmt/format.h>

#include "format.hpp"
#include "sections.hpp"
#include "shiftnorm/core/hash.hpp"

namespace shiftnorm::report {
namespace {

/// SHA-256 in base64, as a Content-Security-Policy names a script.
std::string policy_hash(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = sha256_hex(text) + "00";  // 33 bytes: whole groups of three
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 6) {
    const unsigned long group = std::stoul(hex.substr(i, 6), nullptr, 16);
    for (const unsigned shift : {18U, 12U, 6U, 0U}) out += kDigits[(group >> shift) & 63U];
  }
  out.back() = '=';
  return out;
}

}  // namespace

std::string document(std::string_view title, std::string_view header, std::string_view main, std::string_view version) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'sha256-{}'\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<header>\n{}</header>\n<main>\n{}</main>\n"
      "<footer>shiftnorm {}</footer>\n<script>{}</script>\n</body>\n</html>\n",
      policy_hash(script()), html(title), style_sheet(), header, main, html(version), script());
}

std::string section(std::string_view title, std::string_view lead, const std::string& content) {
  if (content.empty()) return {};
  return fmt::format("<section>\n<h2>{}</h2>\n{}{}</section>\n", title,
                     lead.empty() ? "" : fmt::format("<p class=\"lead\">{}</p>\n", lead), content);
}

std::string boxed_table(std::string_view style, std::string_view caption, std::string_view rows) {
  return fmt::format(
      "<div class=\"scroll{3}\" role=\"region\" aria-label=\"{1}\" tabindex=\"0\"><table "
      "class=\"{0}\">\n<caption>{1}</caption>\n{2}\n</table></div>\n",
      style, html(caption), rows, style.find("tall") == std::string_view::npos ? "" : " tall");
}

std::string column(std::string_view title, bool descending_first, bool words) {
  return fmt::format("<th scope=\"col\" data-first=\"{}\"{}>{}</th>", descending_first ? "descending" : "ascending",
                     words ? " data-words" : "", html(title));
}

std::string fact(std::string_view name, const std::string& value, bool code) {
  if (value.empty()) return {};
  return fmt::format("<tr><th scope=\"row\">{}</th><td>{}{}{}</td></tr>\n", html(name), code ? "<code>" : "",
                     html(value), code ? "</code>" : "");
}

}  // namespace shiftnorm::report
