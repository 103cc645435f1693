#include "services/process/pool_table.h"

#include "gtest/gtest.h"

namespace groupcast::service {
namespace {

PoolTable::Kind WebSocketKind() {
  return {.name = "websocket",
          .url = "ws://127.0.0.1:1234",
          .processes = 2,
          .columns = {{"connections", 12}, {"groups", 10}, {"lost", 0}}};
}

TEST(PoolTableTest, OneKindStandsInTheServicesOwnLine) {
  PoolTable table{.service = "websocket_service",
                  .status = "ready",
                  .kinds = {WebSocketKind()},
                  .notes = {"channel server: 127.0.0.1:2206"},
                  .supervisor = 77};
  const std::string head =
      "\n"
      "  service              listen address             processes  status\n"
      "  websocket_service    ws://127.0.0.1:1234        1 + 2      ready\n"
      "\n"
      "  channel server: 127.0.0.1:2206\n";
  const std::string end =
      "\n"
      "  stop: Ctrl-C or kill 77    replace workers: kill -HUP 77    numbers: kill -USR1 77\n"
      "\n";
  EXPECT_EQ(FormatPoolTable(table), head + end);

  table.with_workers = true;
  table.kinds[0].workers = {
      {.number = 1, .pid = 78, .state = SharedSlot::State::kReady, .counters = {5, 600, 7}},
      {.number = 2, .pid = 12345, .state = SharedSlot::State::kDraining, .counters = {0, 0, 0}}};
  EXPECT_EQ(FormatPoolTable(table),
            head +
                "\n"
                "  worker   pid      state      connections  groups     lost\n"
                "  1        78       ready      5            600        7\n"
                "  2        12345    draining   0            0          0\n" +
                end);
}

TEST(PoolTableTest, ALongAddressWidensItsColumn) {
  PoolTable table{.service = "websocket_service", .status = "ready", .kinds = {WebSocketKind()}};
  table.kinds[0].url = "ws://[2001:db8:1:2:3:4:5:6]:1234";
  const std::string text = FormatPoolTable(table);
  EXPECT_EQ(text.substr(0, text.find("\n\n", 1)),
            "\n"
            "  service              listen address                   processes  status\n"
            "  websocket_service    ws://[2001:db8:1:2:3:4:5:6]:1234 1 + 2      ready");
}

TEST(PoolTableTest, SeveralKindsHaveALineAndNumbersOfTheirOwn) {
  PoolTable table{.service = "groupcast",
                  .status = "running",
                  .kinds = {WebSocketKind(),
                            {.name = "http",
                             .url = "http://127.0.0.1:8080",
                             .processes = 1,
                             .columns = {{"requests", 9}}}},
                  .with_workers = true,
                  .supervisor = 7};
  table.kinds[0].workers = {
      {.number = 1, .pid = 8, .state = SharedSlot::State::kReady, .counters = {1, 2, 3}}};
  table.kinds[1].workers = {
      {.number = 1, .pid = 9, .state = SharedSlot::State::kStarting, .counters = {4}}};
  EXPECT_EQ(FormatPoolTable(table),
            "\n"
            "  service              listen address             processes  status\n"
            "  groupcast                                       1          running\n"
            "  websocket            ws://127.0.0.1:1234        + 2\n"
            "  http                 http://127.0.0.1:8080      + 1\n"
            "\n"
            "  websocket pid      state      connections  groups     lost\n"
            "  1        8        ready      1            2          3\n"
            "\n"
            "  http     pid      state      requests\n"
            "  1        9        starting   4\n"
            "\n"
            "  stop: Ctrl-C or kill 7    replace workers: kill -HUP 7    numbers: kill -USR1 7\n"
            "\n");
}

TEST(PoolTableTest, LimitsHaveATableOfTheirOwn) {
  PoolTable table{.service = "websocket_service",
                  .status = "running",
                  .kinds = {WebSocketKind()},
                  .with_workers = true};
  PoolTable::Kind& kind = table.kinds[0];
  kind.columns.insert(kind.columns.begin() + 1, {"address", 8, /*is_limit=*/true});
  kind.columns.push_back({"pong", 0, /*is_limit=*/true});
  kind.workers = {
      {.number = 1, .pid = 78, .state = SharedSlot::State::kReady, .counters = {5, 9, 600, 7, 0}},
      {.number = 2, .pid = 79, .state = SharedSlot::State::kReady, .counters = {1, 0, 2, 3, 11}}};
  const std::string text = FormatPoolTable(table);
  const size_t begin = text.find("\n\n", 1) + 1;
  EXPECT_EQ(text.substr(begin, text.find("  stop:") - begin),
            "\n"
            "  worker   pid      state      connections  groups     lost\n"
            "  1        78       ready      5            600        7\n"
            "  2        79       ready      1            2          3\n"
            "\n"
            "  limits   address  pong\n"
            "  1        9        0\n"
            "  2        0        11\n"
            "\n");
}

TEST(PoolTableTest, TheSummaryIsOneLine) {
  const PoolTable table{.service = "websocket_service",
                        .status = "ready",
                        .kinds = {WebSocketKind()},
                        .notes = {"channel server: 127.0.0.1:2206", "pages:          /srv/pages"}};
  EXPECT_EQ(FormatPoolSummary(table),
            "ready; websocket: 2 workers at ws://127.0.0.1:1234; channel server: 127.0.0.1:2206; "
            "pages: /srv/pages");
}

}  // namespace
}  // namespace groupcast::service
