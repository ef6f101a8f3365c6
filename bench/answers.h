/* What the servers of the benchmark answer, whatever was asked. */
#ifndef AVITO_BENCH_ANSWERS_H
#define AVITO_BENCH_ANSWERS_H

#define BENCH_CHAT                                                                                                     \
  "{\"id\":\"u2i-YvRiaEtf8Qn~N4sh3mMAAA\",\"created\":1700000000,\"updated\":1700000600,"                              \
  "\"context\":{\"type\":\"item\",\"value\":{\"id\":4098549657,\"title\":\"Bicycle, 21 gears\","                       \
  "\"price_string\":\"12 "                                                                                             \
  "500\",\"status_id\":10,\"url\":\"https://www.example.org/item_4098549657\","                                        \
  "\"user_id\":100000001,\"images\":{\"count\":1,\"main\":{\"140x105\":"                                               \
  "\"https://img.example.org/140x105/1.jpg\"}}}},\"last_message\":{\"id\":"                                            \
  "\"c1348bb968650a00e693d87e0e5e0000\",\"author_id\":200000002,\"created\":1700000600,"                               \
  "\"direction\":\"in\",\"type\":\"text\",\"content\":{\"text\":\"Is it still for sale?\"}},"                          \
  "\"users\":[{\"id\":100000001,\"name\":\"seller\"},{\"id\":200000002,\"name\":\"buyer\"}]}"

#define BENCH_SENT                                                                                                     \
  "{\"content\":{\"text\":\"Yes, it is.\"},\"created\":1700000700,\"direction\":\"out\",\"id\":"                       \
  "\"bdcc5bac2d00345f1cc66fa657e5f7bb\",\"type\":\"text\"}"

#define BENCH_TOKEN "{\"access_token\":\"dummy-access-token\",\"expires_in\":86400,\"token_type\":\"Bearer\"}"

#endif
