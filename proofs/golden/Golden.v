(** * Golden values: numeric enclosures proved by coq-interval.

    Kept apart from theories/: the [interval] tactic computes with 63-bit
    machine integers, so Print Assumptions lists PrimInt63/Uint63 here. *)
From Coq Require Import Reals List Lra Lia.
From Coquelicot Require Import Coquelicot.
From Interval Require Import Tactic.
From HDPO Require Import FinSum Gibbs Filter PassAtK Advantage JSD Softmax Recursion Concentration Sanity.
Import ListNotations.
Open Scope R_scope.

(** S2 at p = 1/4, beta = 1/2 *)
Theorem golden_S2_TV :
  Rabs (TV l2 (gibbs_policy l2 mu2 (reward R2) (1 / 2)) (filtered l2 mu2 R2) - 0.288765) <= 0.000001.
Proof.
  rewrite (S2_TV l2 mu2 mu2_dist R2) by (rewrite ?p2; lra). rewrite p2.
  replace (1 / (1 / 2)) with 2 by lra. interval with (i_prec 60).
Qed.

Theorem golden_S2_KL :
  Rabs (KL l2 (filtered l2 mu2 R2) (gibbs_policy l2 mu2 (reward R2) (1 / 2)) - 0.340753) <= 0.000001.
Proof.
  rewrite (S2_KL l2 mu2 mu2_dist R2) by (rewrite ?p2; lra). rewrite p2.
  replace (1 / (1 / 2)) with 2 by lra. interval with (i_prec 60).
Qed.

(** S1 optimal value at p = 1/4, beta = 1/2 *)
Theorem golden_S1_value :
  Rabs (J l2 mu2 (reward R2) (1 / 2) (gibbs_policy l2 mu2 (reward R2) (1 / 2)) - 0.477229) <= 0.000001.
Proof.
  rewrite (S1_attained l2 mu2 mu2_dist) by lra.
  rewrite (S1_Z_binary l2 mu2 mu2_dist R2), p2.
  replace (1 / (1 / 2)) with 2 by lra. interval with (i_prec 60).
Qed.

(** S6 : teacher (1,0), student (1/2,1/2). *)
Theorem golden_S6 :
  Rabs (JSD l2 (fun b : bool => if b then 1 else 0) (fun _ : bool => 1 / 2) - 0.215762) <= 0.000001.
Proof.
  unfold JSD, jsd_term, kl_term. simpl.
  replace (0 / ((0 + 1 / 2) / 2)) with 0 by field.
  replace (1 / 2 / ((0 + 1 / 2) / 2)) with 2 by field.
  replace (1 / ((1 + 1 / 2) / 2)) with (4 / 3) by field.
  replace (1 / 2 / ((1 + 1 / 2) / 2)) with (2 / 3) by field.
  rewrite Rmult_0_l.
  interval with (i_prec 60).
Qed.

(** S17 : success after three steps at beta = 1 from p = 1/4. *)
Theorem golden_S17_success :
  Rabs (success l2 (repeated l2 mu2 (reward R2) 1 3) R2 - 0.870049) <= 0.000001.
Proof.
  rewrite (S17_success l2 mu2 mu2_dist R2 1 3) by lra. rewrite p2.
  replace (INR 3 / 1) with 3 by (simpl; field). interval with (i_prec 60).
Qed.

(** S18 : sixteen rollouts, p = 1/4, rewards in [0, 1], deviation 1/2. *)
Theorem golden_S18_bound :
  Rabs (2 * (1 - 1 / 4 + 1 / 4 * hoeffding_factor 0 1 (1 / 2)) ^ 16 - 0.381508) <= 0.000001.
Proof. unfold hoeffding_factor. interval with (i_prec 60). Qed.
