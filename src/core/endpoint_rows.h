/* endpoint_rows.h - the rows of one marketplace as C data: `endpoints`, static. The file of a marketplace defines AVITO_ROWS,
 * the name of its .def, and includes this once. Requests, argument checks, the methods of a client, the reference and the
 * editor types are derived from these rows; adding an operation is adding a row.
 *
 * OPERATION(name, method, path, scope, hourly, repeat, answer, answer_key, contract_id, doc, PARAMETERS)
 *   scope       what the token must be good for
 *   hourly      how many requests an hour the marketplace allows of this operation; 0: it has no limit of its own
 *   repeat      SAFE   a repeat does no harm: repeated after any failure that may pass
 *               SEND   a repeat would be seen by a buyer: repeated only when the server cannot have acted on it
 *   answer      OBJECT an object, the one under answer_key where there is one
 *               LIST the list under answer_key, or a bare list; then the object's meta. Under a dotted path the list of an
 *               inner object; then that object, without the list
 *               MAP the object under answer_key | NOTHING true | IMAGE the one image_id and its sizes
 *
 * PARAM(name, place, type, need, min, max, wire, values, doc)
 *   place       PATH a segment | QUERY | JSON a member of the body; wire is its dotted path there | MULTIPART a part
 *   type        ID STRING URL INTEGER BOOLEAN STRINGS INTEGERS (QUERY only) IMAGE FILE
 *   need        REQUIRED: a positional argument, in the order of the rows | OPTIONAL: a field of the options table
 *   min, max    of an integer its value, of a string its code points, of a list its length, of a file its bytes; 0, 0: no
 *               bound. An empty list is left out where min is 0
 *   values      known values, separated by |. Servers add values without notice, so of strings any is passed on;
 *               of integers only these are accepted
 * ACCOUNT_PARAM(name, wire)                           the account, in the path, supplied by the client
 * CONSTANT(wire, value)                               a member of the body that is always the same
 * OBJECT_PARAM(name, need, min, max, fields, doc)     a list of objects; fields is a row of FIELDS below
 * An operation with members of a body sends one even where all are left out.
 *
 * FIELDS(name, PARAMETERS)                            the members of an object in a list; wire is dotted as above
 */
#include "endpoints.h"
#include "limits.h"

#define REQUIRED true
#define OPTIONAL false

#define PARAM(name, place, type, need, min, max, wire, values, doc)                                                    \
  {#name, AVITO_##place, AVITO_##type, need, min, max, wire, values, doc, NULL},
#define ACCOUNT_PARAM(name, wire)                                                                                      \
  {#name, AVITO_PATH, AVITO_ACCOUNT, true, 1, INT64_MAX, wire, NULL, "the account", NULL},
#define CONSTANT(wire, value) {wire, AVITO_JSON, AVITO_CONSTANT, true, 0, 0, wire, value, "always the same", NULL},
#define OBJECT_PARAM(name, need, min, max, fields, doc)                                                                \
  {#name, AVITO_JSON, AVITO_OBJECTS, need, min, max, #name, NULL, doc, fields_##fields},
#define NO_PARAMETERS()
#define END                                                                                                            \
  {                                                                                                                    \
    NULL, AVITO_PATH, AVITO_ACCOUNT, false, 0, 0, NULL, NULL, NULL, NULL                                               \
  }

#define FIELDS(name, parameters) static const struct avito_param fields_##name[] = {parameters END};
#define OPERATION(name, method, path, scope, hourly, repeat, answer, key, contract_id, doc, parameters)
#include AVITO_ROWS
#undef FIELDS
#undef OPERATION

#define FIELDS(name, parameters)
#define OPERATION(name, method, path, scope, hourly, repeat, answer, key, contract_id, doc, parameters)                \
  static const struct avito_param params_##name[] = {parameters END};
#include AVITO_ROWS
#undef OPERATION

#define OPERATION(name, method, path, scope, hourly, repeat, answer, key, contract_id, doc, parameters)                \
  {#name, method, path, scope, hourly, AVITO_##repeat, AVITO_ANSWER_##answer, key, contract_id, doc, params_##name},
static const struct avito_endpoint endpoints[] = {
#include AVITO_ROWS
};
