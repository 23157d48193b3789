import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Properties;
import org.postgresql.PGConnection;

/**
 * Drives a server over the wire with pgJDBC, in the toy language of the wire
 * tests: WireCheck URL PASSWORD [URL PASSWORD …]. Prints "ok", or what went wrong.
 */
public class WireCheck {
    static void check(Object got, Object want, String what) {
        if (!String.valueOf(got).equals(String.valueOf(want))) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    static long sum(ResultSet r) throws SQLException {
        long n = 0;
        while (r.next()) {
            n += r.getLong(1) + 1;
            check(r.getString(2), r.getLong(1) % 7 == 3 ? null : "row " + r.getLong(1), "text column");
        }
        return n;
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i + 1 < args.length; i += 2) {
            Properties p = new Properties();
            p.setProperty("user", "someone");
            p.setProperty("password", args[i + 1]);
            p.setProperty("prepareThreshold", i == 0 ? "5" : "-1"); // -1: everything in binary from the first time on
            try (Connection c = DriverManager.getConnection(args[i], p)) {
                queries(c);
                types(c);
                transactions(c);
                errors(c);
                copy(c);
            }
        }
        System.out.println("ok");
    }

    static void queries(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            check(sum(s.executeQuery("rows 5")), 15L, "statement");
        }
        try (PreparedStatement s = c.prepareStatement("rows 3")) {
            for (int i = 0; i < 8; i++) {
                check(sum(s.executeQuery()), 6L, "prepared statement");
            }
            check(s.getMetaData().getColumnTypeName(1), "int8", "column type");
        }
        try (PreparedStatement s = c.prepareStatement("echo int4 ?")) {
            for (int i = 0; i < 8; i++) {
                s.setInt(1, i - 4);
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    check(r.getInt(1), i - 4, "echo int4");
                }
            }
            s.setNull(1, Types.INTEGER);
            try (ResultSet r = s.executeQuery()) {
                r.next();
                check(r.getObject(1), null, "echo null");
            }
        }
        try (PreparedStatement s = c.prepareStatement("echo timestamptz ?")) {
            for (int i = 0; i < 8; i++) {
                Timestamp t = new Timestamp(1700000000123L + i);
                s.setTimestamp(1, t);
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    check(r.getTimestamp(1), t, "echo timestamptz");
                }
            }
        }
    }

    static void types(Connection c) throws Exception {
        try (PreparedStatement s = c.prepareStatement("types")) {
            for (int i = 0; i < 8; i++) {
                try (ResultSet r = s.executeQuery()) {
                    r.next();
                    check(r.getBoolean("b"), true, "b");
                    check(r.getShort("i2"), -2, "i2");
                    check(r.getLong("i8"), 8000000000L, "i8");
                    check(r.getFloat("f4"), 1.5f, "f4");
                    check(r.getDouble("f8"), 0.1, "f8");
                    check(r.getBigDecimal("num").toPlainString(), "12.50", "num");
                    check(r.getString("txt"), "h\u00e9llo", "txt");
                    check(r.getBytes("by").length + "/" + r.getBytes("by")[1], "2/-1", "by");
                    check(r.getDate("d"), "2024-02-29", "d");
                    check(r.getTimestamp("ts"), "2024-02-29 12:34:56.789", "ts");
                    check(r.getTimestamp("tz").getTime(), 1709210096000L, "tz");
                    check(r.getObject("u"), "00112233-4455-6677-8899-aabbccddeeff", "u");
                    check(r.getString("j"), "{\"a\": 1}", "j");
                    Object[] a = (Object[]) r.getArray("a").getArray();
                    check(a.length + "/" + a[1] + "/" + a[2], "3/2/null", "a");
                    r.getInt("nul");
                    check(r.wasNull(), true, "nul");
                }
            }
        }
    }

    static void transactions(Connection c) throws Exception {
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.setFetchSize(10);
            check(sum(s.executeQuery("rows 95")), 95L * 96 / 2, "fetch size");
        }
        try (PreparedStatement s = c.prepareStatement("put x")) {
            for (int i = 0; i < 50; i++) {
                s.addBatch();
            }
            check(s.executeBatch().length, 50, "batch");
        }
        c.rollback();
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("list")) {
            while (r.next()) {
                check(r.getString(1).equals("x"), false, "a row that was rolled back is there");
            }
        }
        c.commit();
        c.setAutoCommit(true);
    }

    static void errors(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            try {
                s.executeQuery("fail something");
                throw new AssertionError("no error");
            } catch (SQLException e) {
                check(e.getSQLState(), "42703", "SQLSTATE");
                check(e.getMessage().contains("Position: 6"), true, e.getMessage());
            }
            s.setQueryTimeout(1);
            try {
                s.executeQuery("wait");
                throw new AssertionError("no timeout");
            } catch (SQLException e) {
                check(e.getSQLState(), "57014", "SQLSTATE of the timeout");
            }
            s.setQueryTimeout(0);
            check(sum(s.executeQuery("rows 1")), 1L, "after errors");
        }
    }

    static void copy(Connection c) throws Exception {
        var manager = c.unwrap(PGConnection.class).getCopyAPI();
        StringWriter out = new StringWriter();
        check(manager.copyOut("copyout 2", out), 2L, "rows copied out");
        check(out, "0\trow 0\n1\trow 1\n", "copy out");
        check(manager.copyIn("copyin csv", new StringReader("1,a\n2,\"b,c\"\n")), 2L, "rows copied in");
    }
}
