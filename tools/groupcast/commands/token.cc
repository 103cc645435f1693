#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/access/token.h"
#include "services/access/token_keys.h"
#include "services/common/key_file.h"
#include "tools/groupcast/commands/commands.h"
#include "tools/groupcast/token_claims.h"
#include "tools/groupcast/token_signing.h"

namespace groupcast::cli {
namespace {

constexpr char kMakeFooter[] =
    R"(The key is the file of the secret, or of the private key, that belongs to --token_keys of the
services. Other users must not be able to read it. Without --key, the environment variable
GROUPCAST_TOKEN_SECRET has the secret. The key decides the algorithm: HS256, RS256 or ES256.
An entry of a list that ends with * is the beginning of group ids.

Examples:
  openssl rand -base64 48 > token.secret && chmod 600 token.secret
  groupcast token make --key=token.secret --user=alice --groups='chat:*,news'
  groupcast token make --key=private.pem --user=alice --join='chat:*' --send=chat:7 --expires=10m
  GROUPCAST_TOKEN=$(groupcast token make --key=token.secret --groups=news) groupcast sub news)";

constexpr char kInspectFooter[] =
    R"(Anyone can write the claims of a token. Only the signature shows who made it, and this command
checks it only with --key: a file of --token_keys of the services. The exit code is 1 if the token
is expired, not valid yet, or not signed by the key. Without an operand, or with "-", it reads the
token from standard input.

Examples:
  groupcast token inspect < token
  groupcast token inspect --key=public.pem < token)";

constexpr size_t kTokenBytesMax = 64 << 10;

ExitCode Usage(Console& console, absl::string_view why) {
  console.Complain(why);
  return ExitCode::kWrongUsage;
}

struct MakeArguments {
  TokenRequest request;
  std::string key;
  std::string key_id;
};

absl::StatusOr<std::string> SigningKeyOf(const MakeArguments& arguments) {
  if (!arguments.key.empty()) return service::ReadSecretFile(arguments.key);
  const char* const secret = std::getenv("GROUPCAST_TOKEN_SECRET");
  if (secret != nullptr && *secret != '\0') return std::string(secret);
  return absl::InvalidArgumentError(
      "the key is missing: give --key, or set GROUPCAST_TOKEN_SECRET.");
}

ExitCode RunMake(const MakeArguments& arguments, Console& console) {
  const absl::StatusOr<std::string> key = SigningKeyOf(arguments);
  if (!key.ok()) return Usage(console, key.status().message());
  const absl::StatusOr<std::string> claims = ClaimsJson(arguments.request, absl::Now());
  if (!claims.ok()) return Usage(console, claims.status().message());
  const absl::StatusOr<std::string> token = SignToken(*claims, *key, arguments.key_id);
  if (!token.ok()) return Usage(console, token.status().message());
  console.Print(absl::StrCat(*token, "\n"));
  return ExitCode::kDone;
}

struct InspectArguments {
  std::string token = "-";
  std::string key;
  std::string issuer;
  std::string audience;
};

// Standard input, as far as a token may reach.
std::string ReadInput() {
  std::string text;
  char buffer[4096];
  ssize_t bytes = 0;
  while (text.size() < kTokenBytesMax && (bytes = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<size_t>(bytes));
  }
  absl::StripAsciiWhitespace(&text);
  return text;
}

ExitCode RunInspect(const InspectArguments& arguments, Console& console) {
  const std::string text = arguments.token == "-" ? ReadInput() : arguments.token;
  const absl::StatusOr<ReadableToken> token = ReadToken(text);
  if (!token.ok()) {
    console.Complain(token.status().message());
    return ExitCode::kFailed;
  }
  const absl::Time now = absl::Now();
  std::string verdict;
  bool good = IsInTime(*token, now);
  if (arguments.key.empty()) {
    verdict = "not checked, because --key is not given";
  } else {
    absl::StatusOr<service::TokenKeys> keys = service::TokenKeys::Load({arguments.key});
    if (!keys.ok()) return Usage(console, keys.status().message());
    const service::TokenVerifier verifier(
        *std::move(keys), {.issuer = arguments.issuer, .audience = arguments.audience});
    const absl::Status status = verifier.Verify(text, now).status();
    good = status.ok();
    verdict = status.ok() ? "valid: a service with this key takes the token"
                          : absl::StrCat("refused: ", status.message());
  }
  console.Print(Harmless(absl::StrCat("header     ", token->header, "\n", "claims     ",
                                      token->claims, "\n", "time       ", ValidityText(*token, now),
                                      "\n", "signature  ", verdict, "\n")));
  return good ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

Run DefineTokenMake(CLI::App* app) {
  auto arguments = std::make_shared<MakeArguments>();
  TokenRequest& request = arguments->request;
  const auto list = [app](const std::string& name, std::vector<std::string>* values,
                          const std::string& text) {
    app->add_option_function<std::string>(
           name, [values](const std::string& given) { *values = absl::StrSplit(given, ','); }, text)
        ->option_text("LIST");
  };
  Add(app, "--key", &arguments->key, "FILE", "the secret or private key to sign with");
  Add(app, "--kid", &arguments->key_id, "ID", "the id of the key, if the services know one");
  Add(app, "--user", &request.user, "NAME", "the user. Without it, the token names none");
  AddDuration(app, "--expires", &request.valid_for, "how long the token is valid",
              absl::Hours(24 * 366))
      ->default_str("1h");
  list("--groups", &request.groups, "groups for all rights, with commas between them");
  list("--join", &request.join, "groups to join");
  list("--send", &request.send, "groups to send to");
  list("--read", &request.read, "groups whose history may be read");
  list("--observe", &request.observe, "groups whose members may be read");
  Add(app, "--group", &request.group, "GROUP", "make a token for this group alone, for add_group");
  list("--rights", &request.rights, "with --group: join, send, read, observe");
  Add(app, "--info", &request.info, "JSON", "what other members may know of the user");
  Add(app, "--issuer", &request.issuer, "TEXT", "the claim \"iss\"");
  Add(app, "--audience", &request.audience, "TEXT", "the claim \"aud\"");
  app->footer(kMakeFooter);
  return [arguments](Console& console) { return RunMake(*arguments, console); };
}

Run DefineTokenInspect(CLI::App* app) {
  auto arguments = std::make_shared<InspectArguments>();
  Add(app, "TOKEN", &arguments->token, "TOKEN|-", "the token; -: it is on standard input");
  Add(app, "--key", &arguments->key, "FILE", "check the signature and all claims with this key");
  Add(app, "--issuer", &arguments->issuer, "TEXT", "with --key: what \"iss\" must be");
  Add(app, "--audience", &arguments->audience, "TEXT", "with --key: what \"aud\" must name");
  app->footer(kInspectFooter);
  return [arguments](Console& console) { return RunInspect(*arguments, console); };
}

}  // namespace groupcast::cli
