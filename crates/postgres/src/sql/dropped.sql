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

-- And those that answer more than they did.
DROP FUNCTION IF EXISTS windlass.outlook(bigint, text[], bigint[]);
