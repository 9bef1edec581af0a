-- Functions of earlier releases that have got arguments since. The new ones have defaults, for programs that know them not.
DROP FUNCTION IF EXISTS windlass.submit(
    bigint, bigint, uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bigint[], bytea[], bytea[], text
);
DROP FUNCTION IF EXISTS windlass.submit_few(
    bigint, bigint, uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bigint[], bytea[], bytea[], text
);
DROP FUNCTION IF EXISTS windlass.import(
    bigint, text, uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bytea[], bytea[], smallint[], boolean[],
    bigint[], integer[], integer[], bigint[], bigint[], bigint[], bytea[], bytea[], bigint[], integer[], bigint[], bigint[],
    smallint[], uuid[], bytea[]
);
DROP FUNCTION IF EXISTS windlass.gates_edit(
    bigint, text, bytea, boolean, bigint, boolean, bigint, bigint, bigint, bytea, boolean, bigint, text
);
DROP FUNCTION IF EXISTS windlass.gates_edit(
    bigint, text, bytea, boolean, bigint, boolean, bigint, bigint, bigint, bytea, boolean, bigint, text, text, bigint
);
DROP FUNCTION IF EXISTS windlass.gates_leave(bigint, uuid[], boolean[]);
DROP FUNCTION IF EXISTS windlass.submit_unique(
    bigint, bigint, uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bigint[], bytea[], bytea[], text, text[]
);
DROP FUNCTION IF EXISTS windlass.submit(
    bigint, bigint, uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bigint[], bytea[], bytea[], text, text[]
);
DROP FUNCTION IF EXISTS windlass.submit_few(
    bigint, bigint, uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bigint[], bytea[], bytea[], text, text[]
);
DROP FUNCTION IF EXISTS windlass.withdraw(bigint, text, smallint, bigint);
DROP FUNCTION IF EXISTS windlass.claim(bigint, text[], integer, integer, bigint, uuid, bigint[]);
DROP FUNCTION IF EXISTS windlass.outlook(bigint, text[], bigint[]);
DROP FUNCTION IF EXISTS windlass.gates_claim(bigint, text[], integer, integer, bigint, uuid);
DROP FUNCTION IF EXISTS windlass.gates_look_again(bigint, text, integer);
DROP FUNCTION IF EXISTS windlass.gates_may_find(bigint, text[]);
DROP FUNCTION IF EXISTS windlass.gates_outlook(bigint, text[]);
DROP FUNCTION IF EXISTS windlass.gates_pass(bigint, text, bigint[], tid[]);
DROP FUNCTION IF EXISTS windlass.settle(
    bigint, integer, uuid[], bigint[], smallint[], smallint[], smallint[], smallint[], boolean[], bigint[], boolean[], bytea[],
    text[], bytea[], integer[], uuid[], text[], text[], smallint[], text[], bigint[], bigint[], bigint[], bytea[], bytea[], text[]
);
DROP FUNCTION IF EXISTS windlass.gates_warm();
