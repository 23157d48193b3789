import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.sql.Date;
import java.time.*;
import java.util.*;
import org.postgresql.PGConnection;

/**
 * Uses a server with pgJDBC as applications and tools do: ServerCheck URL. Prints
 * "ok", or every check that failed.
 */
public class ServerCheck {
    static int failed = 0;
    static boolean simple = false;

    static void check(Object got, Object want, String what) {
        if (!String.valueOf(got).equals(String.valueOf(want))) {
            System.out.println(what + ": got " + got + ", want " + want);
            failed++;
        }
    }

    /** A prepared statement whose columns change is prepared again by the driver. */
    static void definitions(Connection c) throws Exception {
        Statement s = c.createStatement();
        s.execute("DROP TABLE IF EXISTS remade");
        s.execute("CREATE TABLE remade (a int)");
        s.execute("INSERT INTO remade VALUES (1)");
        PreparedStatement p = c.prepareStatement("SELECT * FROM remade");
        for (int i = 0; i < 8; i++) {
            ResultSet r = p.executeQuery();
            r.next();
            check(r.getInt(1), 1, "before");
        }
        s.execute("DROP TABLE remade");
        s.execute("CREATE TABLE remade (a text, b int)");
        s.execute("INSERT INTO remade VALUES ('x', 2)");
        for (int i = 0; i < 8; i++) {
            ResultSet r = p.executeQuery();
            r.next();
            check(r.getMetaData().getColumnCount() + r.getString(1) + r.getInt(2), "2x2", "after");
        }
    }

    static void calls(Connection c) throws Exception {
        if (simple) { // the driver sends upper(NULL, 'abc'), which PostgreSQL does not take either
            return;
        }
        CallableStatement s = c.prepareCall("{? = call upper(?)}");
        s.registerOutParameter(1, Types.VARCHAR);
        for (String v : new String[] {"abc", "xyz"}) {
            s.setString(2, v);
            s.execute();
            check(s.getString(1), v.toUpperCase(), "call");
        }
        s = c.prepareCall("{? = call mod(?, ?)}");
        s.registerOutParameter(1, Types.INTEGER);
        s.setInt(2, 17);
        s.setInt(3, 5);
        s.execute();
        check(s.getInt(1), 2, "call of two arguments");
    }

    interface Part {
        void run(Connection c) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        Map<String, Part> parts = new LinkedHashMap<>();
        parts.put("types", ServerCheck::types);
        parts.put("batches", ServerCheck::batches);
        parts.put("transactions", ServerCheck::transactions);
        parts.put("cursors", ServerCheck::cursors);
        parts.put("meta data", ServerCheck::metaData);
        parts.put("copy", ServerCheck::copy);
        parts.put("updates", ServerCheck::updates);
        parts.put("definitions", ServerCheck::definitions);
        parts.put("calls", ServerCheck::calls);
        for (String threshold : new String[] {"5", "-1", "0"}) {
            for (String mode : new String[] {"extended", "simple"}) {
                Properties p = new Properties();
                p.setProperty("user", "millrace");
                p.setProperty("prepareThreshold", threshold);
                p.setProperty("preferQueryMode", mode);
                simple = mode.equals("simple");
                for (Map.Entry<String, Part> part : parts.entrySet()) {
                    if (simple && (!threshold.equals("5") || part.getKey().equals("cursors"))) {
                        continue;
                    }
                    try (Connection c = DriverManager.getConnection(args[0], p)) {
                        part.getValue().run(c);
                    } catch (Throwable e) {
                        System.out.println(part.getKey() + " (" + mode + ", threshold " + threshold + "): " + e);
                        StackTraceElement[] at = e.getStackTrace();
                        for (StackTraceElement t : at) {
                            if (t.getClassName().equals("ServerCheck")) {
                                System.out.println("  " + t);
                            }
                        }
                        failed++;
                    }
                }
            }
        }
        if (failed == 0) {
            System.out.println("ok");
        }
    }

    static void types(Connection c) throws Exception {
        Statement s = c.createStatement();
        s.execute("DROP TABLE IF EXISTS types");
        s.execute("CREATE TABLE types (id int PRIMARY KEY, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric(20,4), t text, v varchar(20), "
            + "by bytea, d date, tm time, ts timestamp, tz timestamptz, u uuid, j jsonb, a int[], ta text[])");
        String insert = "INSERT INTO types VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?)";
        UUID u = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
        PreparedStatement p = c.prepareStatement(insert);
        for (int i = 0; i < 8; i++) {
            int k = 1;
            p.setInt(k++, i);
            p.setBoolean(k++, i % 2 == 0);
            p.setShort(k++, (short) -i);
            p.setLong(k++, 1L << (40 + i));
            p.setFloat(k++, 1.5f);
            p.setDouble(k++, 0.1);
            p.setBigDecimal(k++, new BigDecimal("123456789.1234"));
            p.setString(k++, "héllo '\\ " + i);
            p.setObject(k++, "v");
            p.setBytes(k++, new byte[] {0, 1, (byte) 255});
            p.setDate(k++, Date.valueOf("2024-02-29"));
            p.setObject(k++, LocalTime.of(12, 34, 56));
            p.setTimestamp(k++, Timestamp.valueOf("2024-02-29 12:34:56.789"));
            p.setObject(k++, OffsetDateTime.of(2024, 2, 29, 12, 0, 0, 0, ZoneOffset.ofHours(2)));
            p.setObject(k++, u);
            p.setString(k++, "{\"a\": 1}");
            p.setArray(k++, c.createArrayOf("int4", new Integer[] {1, null, 3}));
            p.setArray(k++, c.createArrayOf("text", new String[] {"a", "b,c"}));
            check(p.executeUpdate(), 1, "insert");
        }
        int k = 1;
        p.setInt(k++, 100);
        int[] kinds = {Types.BOOLEAN, Types.SMALLINT, Types.BIGINT, Types.REAL, Types.DOUBLE, Types.NUMERIC, Types.VARCHAR, Types.VARCHAR, Types.BINARY, Types.DATE, Types.TIME,
            Types.TIMESTAMP, Types.TIMESTAMP_WITH_TIMEZONE, Types.OTHER, Types.VARCHAR, Types.ARRAY, Types.ARRAY};
        for (int kind : kinds) {
            p.setNull(k++, kind);
        }
        check(p.executeUpdate(), 1, "insert of nulls");
        for (int round = 0; round < 7; round++) {
            PreparedStatement q = c.prepareStatement("SELECT * FROM types WHERE id = ? OR id = ?");
            q.setInt(1, 3);
            q.setObject(2, null);
            ResultSet r = q.executeQuery();
            check(r.next(), true, "a row");
            check(r.getBoolean("b"), false, "boolean");
            check(r.getShort("i2"), -3, "smallint");
            check(r.getLong("i8"), 1L << 43, "bigint");
            check(r.getFloat("f4"), 1.5f, "real");
            check(r.getDouble("f8"), 0.1, "double");
            check(r.getBigDecimal("n"), "123456789.1234", "numeric");
            check(r.getString("t"), "héllo '\\ 3", "text");
            check(r.getString("v"), "v", "varchar");
            check(Arrays.toString(r.getBytes("by")), "[0, 1, -1]", "bytea");
            check(r.getDate("d"), "2024-02-29", "date");
            check(r.getObject("d", LocalDate.class), "2024-02-29", "date");
            check(r.getObject("tm", LocalTime.class), "12:34:56", "time");
            check(r.getTimestamp("ts"), "2024-02-29 12:34:56.789", "timestamp");
            check(r.getObject("tz", OffsetDateTime.class).toInstant(), "2024-02-29T10:00:00Z", "timestamptz");
            check(r.getObject("u"), u, "uuid");
            check(r.getString("j"), "{\"a\": 1}", "jsonb");
            check(Arrays.toString((Object[]) r.getArray("a").getArray()), "[1, null, 3]", "int[]");
            check(Arrays.toString((Object[]) r.getArray("ta").getArray()), "[a, b,c]", "text[]");
            check(r.next(), false, "no more rows");
            ResultSetMetaData m = r.getMetaData();
            check(m.getColumnTypeName(7) + m.getPrecision(7) + "," + m.getScale(7), "numeric20,4", "column type");
            check(m.getColumnName(1), "id", "column name");
            q.close();
        }
        ResultSet r = s.executeQuery("SELECT count(*) FROM types WHERE id = 100 AND b IS NULL AND ta IS NULL");
        r.next();
        check(r.getInt(1), 1, "nulls");
        if (!simple) { // pgJDBC would run the statement
            ParameterMetaData m = p.getParameterMetaData();
            check(m.getParameterCount() + m.getParameterTypeName(7), "18numeric", "parameters");
        }
        // Types that the statement leaves open, and a string where a number is wanted.
        PreparedStatement q = c.prepareStatement("SELECT ? + 1, ? || 'x', coalesce(?, 5)");
        q.setInt(1, 1);
        q.setString(2, "a");
        q.setNull(3, Types.INTEGER);
        r = q.executeQuery();
        r.next();
        check(r.getInt(1) + r.getString(2) + r.getInt(3), "2ax5", "open parameters");
        // Keys that the server made, and columns of RETURNING.
        p = c.prepareStatement("INSERT INTO types (id, t) VALUES (?, ?)", new String[] {"id", "t"});
        p.setInt(1, 200);
        p.setString(2, "made");
        p.executeUpdate();
        r = p.getGeneratedKeys();
        r.next();
        check(r.getInt(1) + r.getString(2), "200made", "generated keys");
    }

    static void batches(Connection c) throws Exception {
        Statement s = c.createStatement();
        s.execute("DROP TABLE IF EXISTS batch");
        s.execute("CREATE TABLE batch (id int PRIMARY KEY, v text)");
        for (boolean auto : new boolean[] {true, false}) {
            c.setAutoCommit(auto);
            PreparedStatement p = c.prepareStatement("INSERT INTO batch VALUES (?, ?)");
            int base = auto ? 0 : 1000;
            for (int i = 0; i < 300; i++) {
                p.setInt(1, base + i);
                p.setString(2, "v" + i);
                p.addBatch();
            }
            int sum = 0;
            for (int n : p.executeBatch()) {
                sum += n;
            }
            check(sum, 300, "batch");
            if (!auto) {
                c.commit();
            }
        }
        c.setAutoCommit(false);
        PreparedStatement p = c.prepareStatement("INSERT INTO batch VALUES (?, 'x')");
        for (int i : new int[] {5000, 5001, 1, 5002}) {
            p.setInt(1, i);
            p.addBatch();
        }
        try {
            p.executeBatch();
            check("no error", "an error", "batch with a duplicate");
        } catch (BatchUpdateException e) {
            check(e.getSQLState(), "23505", "batch with a duplicate");
        }
        c.rollback();
        c.setAutoCommit(true);
        s.addBatch("UPDATE batch SET v = 'u' WHERE id < 10");
        s.addBatch("DELETE FROM batch WHERE id >= 1000");
        check(Arrays.toString(s.executeBatch()), "[10, 300]", "batch of statements");
        ResultSet r = s.executeQuery("SELECT count(*), count(*) FILTER (WHERE v = 'u') FROM batch");
        r.next();
        check(r.getInt(1) + "," + r.getInt(2), "300,10", "after the batches");
    }

    static void transactions(Connection c) throws Exception {
        Statement s = c.createStatement();
        s.execute("DROP TABLE IF EXISTS acc");
        c.setAutoCommit(false);
        s.execute("CREATE TABLE acc (id int PRIMARY KEY, n int)");
        s.executeUpdate("INSERT INTO acc VALUES (1, 10), (2, 20)");
        check(s.executeUpdate("UPDATE acc SET n = n + 1"), 2, "update of rows of the transaction");
        c.commit();
        Savepoint sp = c.setSavepoint("sp");
        s.executeUpdate("DELETE FROM acc");
        c.rollback(sp);
        try {
            s.executeUpdate("INSERT INTO acc VALUES (1, 1)");
        } catch (SQLException e) {
            check(e.getSQLState(), "23505", "duplicate");
        }
        c.rollback(sp);
        c.releaseSavepoint(sp);
        ResultSet r = s.executeQuery("SELECT sum(n) FROM acc");
        r.next();
        check(r.getInt(1), 32, "after the savepoint");
        c.rollback();
        for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
            c.setTransactionIsolation(level);
            check(c.getTransactionIsolation(), level, "isolation");
            s.executeUpdate("UPDATE acc SET n = n + 1 WHERE id = 1");
            c.commit();
        }
        c.setReadOnly(true);
        try {
            s.executeUpdate("DELETE FROM acc");
            check("no error", "an error", "write in a read-only transaction");
        } catch (SQLException e) {
            check(e.getSQLState(), "25006", "read-only");
        }
        c.rollback();
        c.setReadOnly(false);
        c.setAutoCommit(true);
        check(c.isValid(2), true, "valid");
        s.setQueryTimeout(1);
        try {
            s.execute("SELECT pg_sleep(20)");
            check("no error", "an error", "query timeout");
        } catch (SQLException e) {
            check(e.getSQLState(), "57014", "query timeout");
        }
    }

    static void cursors(Connection c) throws Exception {
        c.setAutoCommit(false);
        PreparedStatement p = c.prepareStatement("SELECT g, 'row ' || g FROM generate_series(1, ?) AS t (g)");
        p.setFetchSize(100);
        for (int round = 0; round < 3; round++) {
            p.setInt(1, 2500);
            ResultSet r = p.executeQuery();
            long n = 0, sum = 0;
            while (r.next()) {
                n++;
                sum += r.getLong(1);
            }
            check(n + "," + sum, "2500,3126250", "fetch size");
        }
        p.setMaxRows(7);
        ResultSet r = p.executeQuery();
        int n = 0;
        while (r.next()) {
            n++;
        }
        check(n, 7, "max rows");
        c.commit();
    }

    static String names(ResultSet r, String column) throws SQLException {
        List<String> out = new ArrayList<>();
        while (r.next()) {
            out.add(r.getString(column));
        }
        return String.join(",", out);
    }

    static void metaData(Connection c) throws Exception {
        Statement s = c.createStatement();
        s.execute("DROP TABLE IF EXISTS md CASCADE");
        s.execute("CREATE TABLE md (a bigint, b text NOT NULL, c numeric(10,2) DEFAULT 1, PRIMARY KEY (b, a))");
        s.execute("CREATE VIEW md_view AS SELECT a, b FROM md");
        s.execute("CREATE MATERIALIZED VIEW md_mat AS SELECT b, count(*) AS n FROM md GROUP BY b");
        DatabaseMetaData m = c.getMetaData();
        check(m.getDatabaseProductName(), "PostgreSQL", "product");
        check(names(m.getTables(null, "public", "md%", new String[] {"TABLE"}), "TABLE_NAME"), "md", "tables");
        check(names(m.getTables(null, "public", "md%", new String[] {"VIEW"}), "TABLE_NAME"), "md_view", "views");
        check(names(m.getTables(null, "public", "md%", new String[] {"MATERIALIZED VIEW"}), "TABLE_NAME"), "md_mat", "materialized views");
        check(names(m.getColumns(null, "public", "md", null), "COLUMN_NAME"), "a,b,c", "columns");
        ResultSet r = m.getColumns(null, null, "md", "c");
        r.next();
        check(r.getString("TYPE_NAME") + r.getInt("COLUMN_SIZE") + "," + r.getInt("DECIMAL_DIGITS") + r.getString("COLUMN_DEF") + r.getString("IS_NULLABLE"), "numeric10,21YES", "a column");
        check(names(m.getPrimaryKeys(null, "public", "md"), "COLUMN_NAME"), "b,a", "primary key");
        r = m.getPrimaryKeys(null, "public", "md");
        r.next();
        check(r.getString("COLUMN_NAME") + r.getInt("KEY_SEQ"), "b1", "key sequence");
        check(names(m.getIndexInfo(null, "public", "md", false, false), "INDEX_NAME"), "md_pkey,md_pkey", "indexes");
        check(names(m.getImportedKeys(null, "public", "md"), "PKTABLE_NAME"), "", "imported keys");
        check(names(m.getSchemas(), "TABLE_SCHEM").contains("public"), true, "schemas");
        check(names(m.getCatalogs(), "TABLE_CAT"), "millrace", "catalogs");
        check(names(m.getTypeInfo(), "TYPE_NAME").contains("timestamptz"), true, "types");
        m.getTableTypes();
        m.getProcedures(null, null, "%");
        m.getFunctions(null, null, "%").next();
        m.getUDTs(null, null, "%", null);
        m.getExportedKeys(null, "public", "md");
        m.getCrossReference(null, null, "md", null, null, "md");
        m.getBestRowIdentifier(null, "public", "md", DatabaseMetaData.bestRowSession, true);
        m.getVersionColumns(null, "public", "md");
        m.getTablePrivileges(null, "public", "md");
        m.getColumnPrivileges(null, "public", "md", "%");
        m.getClientInfoProperties();
        m.getSQLKeywords();
        s.execute("DROP TABLE md CASCADE");
    }

    /** Rows that are changed through the result set that shows them. */
    static void updates(Connection c) throws Exception {
        try (Statement st = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            st.execute("DROP TABLE IF EXISTS upd");
            st.execute("CREATE TABLE upd (id int PRIMARY KEY, name text)");
            st.execute("INSERT INTO upd VALUES (1, 'a'), (2, 'b')");
            ResultSet r = st.executeQuery("SELECT id, name, id + 1 AS next FROM upd ORDER BY id");
            ResultSetMetaData m = r.getMetaData();
            check(m.getTableName(2), "upd", "table of a column");
            check(((org.postgresql.PGResultSetMetaData) m).getBaseColumnName(2), "name", "base column");
            check(m.getTableName(3), "", "table of an expression");
            check(c.getMetaData().getFunctionColumns(null, "pg_catalog", "upper", null).next(), true, "a function's columns");
            check(c.getMetaData().getSQLKeywords() != null, true, "keywords");
            r.close();
            r = st.executeQuery("SELECT id, name FROM upd ORDER BY id");
            r.next();
            r.updateString("name", "z");
            r.updateRow();
            check(r.getString(2), "z", "updated row");
            r.next();
            r.deleteRow();
            r.moveToInsertRow();
            r.updateInt(1, 3);
            r.updateString(2, "c");
            r.insertRow();
            r.close();
            r = st.executeQuery("SELECT string_agg(id || name, ',' ORDER BY id) FROM upd");
            r.next();
            check(r.getString(1), "1z,3c", "rows after updates");
            try {
                st.execute("INSERT INTO upd VALUES (1, 'x')");
                check("no error", "an error", "a duplicate key");
            } catch (org.postgresql.util.PSQLException e) {
                check(e.getServerErrorMessage().getConstraint(), "upd_pkey", "constraint of an error");
                check(e.getServerErrorMessage().getTable(), "upd", "table of an error");
            }
            st.execute("DROP TABLE upd");
        }
    }

    static void copy(Connection c) throws Exception {
        Statement s = c.createStatement();
        s.execute("DROP TABLE IF EXISTS cp");
        s.execute("CREATE TABLE cp (n int, t text)");
        org.postgresql.copy.CopyManager m = c.unwrap(PGConnection.class).getCopyAPI();
        check(m.copyIn("COPY cp FROM STDIN WITH (FORMAT csv)", new StringReader("1,\"a,b\"\n2,\n")), 2L, "copy in");
        StringWriter w = new StringWriter();
        m.copyOut("COPY cp TO STDOUT", w);
        check(w.toString(), "1\ta,b\n2\t\\N\n", "copy out");
        try {
            m.copyIn("COPY cp FROM STDIN", new ByteArrayInputStream("3\tx\nnope\ty\n".getBytes()));
            check("no error", "an error", "copy in");
        } catch (SQLException e) {
            check(e.getSQLState(), "22P02", "copy in");
        }
        check(names(s.executeQuery("SELECT n FROM cp ORDER BY n"), "n"), "1,2", "after the copies");
    }
}
